/** Serves all checks of the Java clients against the broker whose address is the only argument. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        Cluster cluster = new Cluster(arguments[0]);
        Checks checks = new Checks();
        new RecordChecks(cluster).addTo(checks);
        new GroupChecks(cluster).addTo(checks);
        new TransactionChecks(cluster).addTo(checks);
        new AdminChecks(cluster).addTo(checks);
        new VersionChecks(cluster).addTo(checks);
        checks.serve();
    }
}
