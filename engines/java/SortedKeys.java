import de.bwaldvogel.mongo.backend.ValueComparator;
import java.nio.ByteBuffer;
import org.h2.mvstore.WriteBuffer;
import org.h2.mvstore.type.BasicDataType;
import org.h2.mvstore.type.ObjectDataType;

/** The keys of an index: in MongoDB's order, and as few bytes. */
final class SortedKeys extends BasicDataType<Object[]> {
  static final SortedKeys INSTANCE = new SortedKeys();

  private final ObjectDataType values = new ObjectDataType();

  /** A key that has ended is, from there on, like one without values. */
  @Override
  public int compare(Object[] a, Object[] b) {
    for (int i = 0; i < a.length || i < b.length; i += 1) {
      Object left = i < a.length ? a[i] : null;
      Object right = i < b.length ? b[i] : null;
      int order = ValueComparator.asc().compare(left, right);
      if (order != 0) return order;
    }
    return 0;
  }

  @Override
  public int getMemory(Object[] key) {
    int sum = 24;
    for (Object value : key) sum += 4 + values.getMemory(value);
    return sum;
  }

  @Override
  public void write(WriteBuffer buffer, Object[] key) {
    buffer.put((byte) key.length);
    for (Object value : key) values.write(buffer, value);
  }

  @Override
  public Object[] read(ByteBuffer buffer) {
    Object[] key = new Object[buffer.get()];
    for (int i = 0; i < key.length; i += 1) key[i] = values.read(buffer);
    return key;
  }

  @Override
  public Object[][] createStorage(int size) {
    return new Object[size][];
  }
}
