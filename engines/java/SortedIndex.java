import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.AbstractUniqueIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.bson.MaxKey;
import de.bwaldvogel.mongo.bson.MinKey;
import de.bwaldvogel.mongo.bson.ObjectId;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.h2.mvstore.Cursor;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/**
 * An index in order, which the server's own are not: it finds ranges, and sorts. Where it is not unique, a document's id
 * is the end of its key.
 */
final class SortedIndex extends AbstractUniqueIndex<Object> {
  private static final Set<String> BOUNDS = Set.of("$gt", "$gte", "$lt", "$lte");
  /** Some document has several keys, for it has an array. */
  private static final String ARRAYS = "arrays";
  /** Some document has no key at all, for its array is empty. */
  private static final String GAPS = "gaps";

  private final boolean unique;
  private final List<String> fields;
  private final MVMap<Object[], Object> positions;
  private final MVMap<String, Boolean> has;

  SortedIndex(MVStore store, String place, String name, List<IndexKey> keys, boolean sparse, boolean unique) {
    super(name, keys, sparse);
    this.unique = unique;
    fields = Stream.concat(keys().stream(), unique ? Stream.empty() : Stream.of("_id")).toList();
    String map = place + "._sorted_" + name;
    positions = store.openMap(map, new MVMap.Builder<Object[], Object>().keyType(SortedKeys.INSTANCE));
    has = store.openMap(map + ".has");
  }

  /**
   * Where in the index everything is that may match a query: perhaps more than that.
   *
   * @param equal how many of the fields have one value in it
   * @param bounded whether the field after these is bounded
   */
  record Scan(SortedIndex index, Object[] from, Object[] to, int equal, boolean bounded) {
    /** 1 where the index has that order, -1 where it has it backwards, 0 where it has another one. */
    int direction(Document order) {
      if (order == null || order.isEmpty()) return 1;
      Iterator<String> others = index.fields.subList(equal, index.fields.size()).iterator();
      int direction = 0;
      for (Entry<String, Object> wanted : order.entrySet()) {
        if (index.fields.subList(0, equal).contains(wanted.getKey())) continue;
        if (index.has.containsKey(ARRAYS) || !others.hasNext() || !others.next().equals(wanted.getKey())) return 0;
        int one = wanted.getValue() instanceof Number number ? number.intValue() : 0;
        if (direction != 0 && direction != one) return 0;
        direction = one;
      }
      return direction;
    }

    Stream<Object> positions(int direction) {
      if (SortedKeys.INSTANCE.compare(from, to) > 0) return Stream.empty();
      Cursor<Object[], Object> cursor =
          direction < 0 ? index.positions.cursor(to, from, true) : index.positions.cursor(from, to, false);
      Iterable<Object[]> keys = () -> cursor;
      return StreamSupport.stream(keys.spliterator(), false).map(key -> cursor.getValue());
    }
  }

  /** Null where this index is of no use for the query. */
  Scan scan(Document query) {
    if (isSparse() || has.containsKey(GAPS)) return null;
    List<Object> low = new ArrayList<>();
    List<Object> high = new ArrayList<>();
    int equal = 0;
    boolean bounded = false;
    for (String field : fields) {
      if (!query.containsKey(field)) break;
      Object wanted = query.get(field);
      if (isPlain(wanted)) {
        low.add(normalized(wanted));
        high.add(normalized(wanted));
        equal += 1;
        continue;
      }
      if (wanted instanceof Document range
          && BOUNDS.containsAll(range.keySet())
          && range.values().stream().allMatch(value -> value != null && isPlain(value))) {
        Object from = range.getOrDefault("$gte", range.get("$gt"));
        Object to = range.getOrDefault("$lte", range.get("$lt"));
        if (from != null) low.add(normalized(from));
        // One element of an array may lie above the one bound, and another one below the other.
        if (to != null && !(from != null && has.containsKey(ARRAYS))) high.add(normalized(to));
        bounded = true;
      }
      break;
    }
    if (equal == 0 && !bounded) return null;
    low.add(MinKey.getInstance());
    high.add(MaxKey.getInstance());
    return new Scan(this, low.toArray(), high.toArray(), equal, bounded);
  }

  static boolean isPlain(Object value) {
    return value == null
        || value instanceof String
        || value instanceof Number
        || value instanceof Boolean
        || value instanceof ObjectId
        || value instanceof Instant;
  }

  private static Object normalized(Object value) {
    return new KeyValue(Collections.singletonList(value)).normalized().get(0);
  }

  @Override
  public Set<KeyValue> getKeyValues(Document document) {
    Set<KeyValue> keys = super.getKeyValues(document);
    if (keys.size() > 1) has.put(ARRAYS, true);
    if (keys.isEmpty()) has.put(GAPS, true);
    if (unique) return keys;
    if (keys.isEmpty()) return Set.of(withId(new KeyValue((Object) null), document));
    return keys.stream().map(key -> withId(key, document)).collect(Collectors.toSet());
  }

  private static KeyValue withId(KeyValue key, Document document) {
    List<Object> values = key.stream().collect(Collectors.toCollection(ArrayList::new));
    values.add(document.get("_id"));
    return new KeyValue(values);
  }

  @Override
  public synchronized void checkAdd(Document document, MongoCollection<Object> collection) {
    if (unique) super.checkAdd(document, collection);
  }

  @Override
  public synchronized void checkUpdate(Document before, Document after, MongoCollection<Object> collection) {
    if (unique) super.checkUpdate(before, after, collection);
  }

  @Override
  public synchronized boolean canHandle(Document query) {
    return unique && super.canHandle(query);
  }

  @Override
  public boolean isUnique() {
    return unique;
  }

  @Override
  protected Object removeDocument(KeyValue key) {
    return positions.remove(stored(key));
  }

  @Override
  protected boolean putKeyPosition(KeyValue key, Object position) {
    return positions.putIfAbsent(stored(key), Missing.ofNullable(position)) == null;
  }

  @Override
  protected Iterable<Entry<KeyValue, Object>> getIterable() {
    return positions.entrySet().stream().map(one -> Map.entry(new KeyValue(one.getKey()), one.getValue())).toList();
  }

  @Override
  protected Object getPosition(KeyValue key) {
    return positions.get(stored(key));
  }

  private static Object[] stored(KeyValue key) {
    return key.stream().toArray();
  }

  @Override
  public void drop() {
    positions.clear();
    has.clear();
  }

  @Override
  public long getCount() {
    return positions.sizeAsLong();
  }

  @Override
  public long getDataSize() {
    return getCount();
  }
}
