package secure;

import greeting.Greeting;
import io.grpc.Metadata;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.client.WorkflowOptions;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import java.io.File;

/**
 * The Java SDK over TLS with an API key: a workflow with an activity from its start to its result. Arguments: address, file of the
 * authority to trust, namespace, API version. The key is in API_KEY.
 */
public final class Secure {
  public static void main(String[] args) throws Exception {
    Metadata.Key<String> version =
        Metadata.Key.of("temporal-api-version", Metadata.ASCII_STRING_MARSHALLER);
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder()
                .setTarget(args[0])
                .setSslContext(GrpcSslContexts.forClient().trustManager(new File(args[1])).build())
                .addApiKey(() -> System.getenv("API_KEY"))
                .addGrpcMetadataProvider(
                    () -> {
                      Metadata headers = new Metadata();
                      headers.put(version, args[3]);
                      return headers;
                    })
                .build());
    WorkflowClient client =
        WorkflowClient.newInstance(
            service, WorkflowClientOptions.newBuilder().setNamespace(args[2]).build());
    WorkerFactory factory = WorkerFactory.newInstance(client);
    String queue = "java-" + args[3];
    Worker worker = factory.newWorker(queue);
    Greeting.Impl.registerWith(worker);
    factory.start();
    Greeting workflow =
        client.newWorkflowStub(
            Greeting.class,
            WorkflowOptions.newBuilder().setWorkflowId(queue).setTaskQueue(queue).build());
    System.out.println(workflow.greeting("Java"));
    factory.shutdownNow();
    service.shutdownNow();
  }
}
