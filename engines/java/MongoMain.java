import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.List;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/**
 * mongo-java-server on a file, with what a MongoDB client may rely on and the server itself does not give: a version
 * that drivers accept, one command at a time, indexes that answer ranges, and nothing acknowledged that a kill could
 * still undo.
 *
 * <p>Arguments: the file, the port. Says `ready` on stdout once it listens.
 */
public final class MongoMain extends H2Backend {
  /** Without its background thread the store only cleans up when told to. */
  private static final int COMMITS_PER_CLEANING = 2_000;

  private final MVStore store;
  private int commits;

  private MongoMain(MVStore store) {
    super(store);
    this.store = store;
    version(new Version());
  }

  @Override
  public synchronized Document handleCommand(Channel channel, String db, String name, Document query) {
    try {
      Document reply = super.handleCommand(channel, db, name, query);
      if (name.equals("insert")) countInserted(query, reply);
      // The reply is written after the next command may have changed the documents that it refers to.
      return reply.cloneDeeply();
    } finally {
      // What failed half-way may have written, too.
      if (store.hasUnsavedChanges()) commit();
      if (++commits % COMMITS_PER_CLEANING == 0) store.compact(50, 8 << 20);
    }
  }

  @Override
  protected MongoDatabase openOrCreateDatabase(String name) {
    return new Database(name);
  }

  /** One whose collections and indexes are sorted. The first are opened before the fields of this class are set. */
  private final class Database extends H2Database {
    Database(String name) {
      super(name, getMvStore(), getCursorRegistry());
    }

    @Override
    protected MongoCollection<Object> openOrCreateCollection(String name, CollectionOptions options) {
      String full = getFullCollectionNamespace(name);
      MVMap<Object, Document> documents = getMvStore().openMap("databases." + full);
      MVMap<String, Object> meta = getMvStore().openMap("meta." + full);
      return new SortedCollection(this, name, options, documents, meta, cursorRegistry);
    }

    @Override
    protected Index<Object> openOrCreateUniqueIndex(
        String collection, String name, List<IndexKey> keys, boolean sparse) {
      return new SortedIndex(getMvStore(), getFullCollectionNamespace(collection), name, keys, sparse, true);
    }

    @Override
    protected Index<Object> openOrCreateSecondaryIndex(
        String collection, String name, List<IndexKey> keys, boolean sparse) {
      return new SortedIndex(getMvStore(), getFullCollectionNamespace(collection), name, keys, sparse, false);
    }
  }

  /** The server claims to have inserted all documents, also where some were refused. */
  private static void countInserted(Document query, Document reply) {
    if (!(reply.get("writeErrors") instanceof List<?> errors)) return;
    int first = (int) ((Document) errors.get(0)).get("index");
    int all = ((List<?>) query.get("documents")).size();
    reply.put("n", Boolean.FALSE.equals(query.get("ordered")) ? all - errors.size() : first);
  }

  private record Version() implements MongoVersion {
    public List<Integer> getVersionArray() {
      return List.of(5, 0, 0);
    }

    public int getWireVersion() {
      return 13;
    }
  }

  public static void main(String[] args) {
    MVStore.Builder settings = new MVStore.Builder().fileName(args[0]);
    // The store's own thread would write documents while a command changes them.
    settings.autoCommitDisabled();
    // A commit serializes every key of the pages that it touches; a search reads all there is.
    settings.keysPerPage(16).cacheSize(64);
    MVStore store = settings.open();
    store.setRetentionTime(0);
    MongoServer server = new MongoServer(new MongoMain(store));
    server.bind("127.0.0.1", Integer.parseInt(args[1]));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    System.out.println("ready");
  }
}
