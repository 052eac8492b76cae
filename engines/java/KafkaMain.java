import java.io.FileReader;
import java.nio.file.Path;
import java.util.Properties;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.common.utils.Time;

/**
 * Formats the data folder where it is new, starts a broker, and says `ready` on stdout once it serves: formatting and
 * starting in one JVM saves a second, and no caller has to poll the broker until it is there.
 *
 * <p>Arguments: the properties file, the cluster's id.
 */
public final class KafkaMain {
  public static void main(String[] args) throws Exception {
    String file = Path.of(args[0]).toString();
    int formatted =
        StorageTool.execute(
            new String[] {"format", "--ignore-formatted", "-t", args[1], "-c", file}, System.err);
    if (formatted != 0) System.exit(formatted);

    Properties properties = new Properties();
    try (FileReader reader = new FileReader(file)) {
      properties.load(reader);
    }
    KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(properties), Time.SYSTEM);
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
    // Returns once the controllers have let this broker in.
    server.startup();
    System.out.println("ready");
    server.awaitShutdown();
  }
}
