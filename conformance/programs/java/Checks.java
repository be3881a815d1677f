import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Runs named checks, one at a time: a name comes in on standard input, a line with the verdict goes out.
 *
 * <p>Owns the list of checks and the form of a verdict: {@code @@ ok}, {@code @@ failed TEXT}, line ends in the text
 * escaped. The end of standard input ends the program.
 */
public final class Checks {
    /** A check fails by throwing. */
    interface Check {
        void run() throws Exception;
    }

    private static final long TIMEOUT_S = 60;
    private final Map<String, Check> checks = new TreeMap<>();

    void add(String name, Check check) {
        if (checks.put(name, check) != null) {
            throw new IllegalStateException("Two checks named " + name);
        }
    }

    static void require(boolean holds, String message) {
        if (!holds) {
            throw new AssertionError(message);
        }
    }

    static void same(Object expected, Object got) {
        require(expected.equals(got), "Expected " + expected + ", got " + got);
    }

    /** Requires that an action fails, with this error or one caused by it, and returns that error. */
    static <E extends Throwable> E fails(Class<E> kind, Check action) {
        try {
            action.run();
        } catch (Throwable error) {
            for (Throwable each = error; each != null; each = each.getCause()) {
                if (kind.isInstance(each)) {
                    return kind.cast(each);
                }
            }
            throw new AssertionError("Expected " + kind.getSimpleName() + ", got " + error, error);
        }
        throw new AssertionError("Expected " + kind.getSimpleName() + ", but it succeeded");
    }

    void serve() throws Exception {
        ExecutorService worker = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            return thread;
        });
        BufferedReader names = new BufferedReader(new InputStreamReader(System.in));
        for (String name = names.readLine(); name != null; name = names.readLine()) {
            if (name.equals("?")) {
                System.out.println("@@ " + String.join(" ", checks.keySet()));
                continue;
            }
            System.out.println("@@ " + verdict(worker, checks.get(name)));
        }
        System.exit(0);
    }

    private static String verdict(ExecutorService worker, Check check) throws InterruptedException {
        if (check == null) {
            return "failed no such check";
        }
        Future<?> running = worker.submit(() -> {
            check.run();
            return null;
        });
        try {
            running.get(TIMEOUT_S, TimeUnit.SECONDS);
            return "ok";
        } catch (ExecutionException error) {
            StringWriter text = new StringWriter();
            error.getCause().printStackTrace(new PrintWriter(text));
            return "failed " + text.toString().replace("\\", "\\\\").replace("\n", "\\n");
        } catch (java.util.concurrent.TimeoutException error) {
            running.cancel(true);
            return "failed not done after " + TIMEOUT_S + " s";
        }
    }
}
