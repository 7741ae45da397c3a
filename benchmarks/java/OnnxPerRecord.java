import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * A model called once per record inside the JVM, as Flink examples with ONNX do it: the session is opened with the task,
 * each record becomes a tensor of one row. The job parameter "model" names the file.
 */
public final class OnnxPerRecord extends ScalarFunction {
    private transient OrtEnvironment environment;
    private transient OrtSession session;
    private transient float[][] row;

    @Override
    public void open(FunctionContext context) throws Exception {
        environment = OrtEnvironment.getEnvironment();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(1);
            options.setInterOpNumThreads(1);
            session = environment.createSession(Path.of(context.getJobParameter("model", "")).toString(), options);
        }
        row = new float[1][12];
    }

    public Float eval(
            Float f0, Float f1, Float f2, Float f3, Float f4, Float f5,
            Float f6, Float f7, Float f8, Float f9, Float f10, Float f11)
            throws Exception {
        Float[] features = {f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11};
        for (int at = 0; at < features.length; at++) {
            row[0][at] = features[at];
        }
        try (OnnxTensor tensor = OnnxTensor.createTensor(environment, row);
                OrtSession.Result result = session.run(Map.of("x", tensor))) {
            return ((float[][]) result.get(0).getValue())[0][0];
        }
    }

    @Override
    public void close() throws Exception {
        if (session != null) {
            session.close();
        }
    }
}
