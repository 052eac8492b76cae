import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.bson.Document;
import java.util.Collection;
import java.util.List;
import java.util.Map.Entry;
import java.util.Set;
import java.util.stream.Stream;
import org.h2.mvstore.MVMap;

/** A collection that looks into its indexes for what a query may find, and then at these documents alone. */
final class SortedCollection extends H2Collection {
  SortedCollection(
      MongoDatabase database,
      String name,
      CollectionOptions options,
      MVMap<Object, Document> documents,
      MVMap<String, Object> meta,
      CursorRegistry cursors) {
    super(database, name, options, documents, meta, cursors);
  }

  @Override
  protected QueryResult queryDocuments(
      Document query, Document order, int skip, int limit, int batchSize, Document fields) {
    List<SortedIndex.Scan> scans = alternatives(query).map(one -> bestScan(one, order)).toList();
    if (scans.contains(null) || scans.isEmpty() || (order != null && order.containsKey("$natural"))) {
      return super.queryDocuments(query, order, skip, limit, batchSize, fields);
    }
    int direction = scans.size() == 1 ? scans.get(0).direction(order) : 0;
    Stream<Document> found =
        scans.stream()
            .flatMap(scan -> scan.positions(direction))
            .distinct()
            .map(this::getDocument);
    Document rest = direction == 0 ? order : null;
    return matchDocumentsFromStream(found, query, rest, skip, limit, batchSize, fields);
  }

  /** Queries that find together what one with `$or` finds, or one with `$in`. */
  private static Stream<Document> alternatives(Document query) {
    if (query.size() == 1 && query.get("$or") instanceof Collection<?> either) {
      return either.stream().map(Document.class::cast);
    }
    for (Entry<String, Object> wanted : query.entrySet()) {
      if (wanted.getValue() instanceof Document in
          && in.keySet().equals(Set.of("$in"))
          && in.get("$in") instanceof Collection<?> values
          && values.stream().allMatch(SortedIndex::isPlain)) {
        return values.stream().map(value -> new Document(query).append(wanted.getKey(), value));
      }
    }
    return Stream.of(query);
  }

  private SortedIndex.Scan bestScan(Document query, Document order) {
    SortedIndex.Scan best = null;
    int most = 0;
    for (Index<Object> index : getIndexes()) {
      SortedIndex.Scan scan = index instanceof SortedIndex sorted ? sorted.scan(query) : null;
      if (scan == null) continue;
      int worth = 2 * scan.equal() + (scan.bounded() ? 1 : 0) + (scan.direction(order) != 0 ? 2 : 0);
      if (worth <= most) continue;
      most = worth;
      best = scan;
    }
    return best;
  }
}
