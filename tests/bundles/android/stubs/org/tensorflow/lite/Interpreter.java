package org.tensorflow.lite;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Has the methods of LiteRT's interpreter; the numbers are LiteRT's own, from a process of Python
 * (`interpreter.py`, whose command is the system property "interpreter").
 */
public final class Interpreter implements AutoCloseable {
  public static final class Options {
    public Options setNumThreads(int threads) {
      return this;
    }
  }

  private record Told(String name, DataType dataType, int[] shape, int numBytes) implements Tensor {}

  private final Process process;
  private final DataInputStream in;
  private final DataOutputStream out;
  private final Told[] inputs;
  private final Told[] outputs;

  public Interpreter(ByteBuffer model, Options options) {
    if (!model.isDirect()) throw new IllegalArgumentException("Model ByteBuffer should be direct");
    try {
      String[] command = System.getProperty("interpreter").split("\n");
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      in = new DataInputStream(process.getInputStream());
      out = new DataOutputStream(process.getOutputStream());
      write(model);
      out.flush();
      inputs = tensors();
      outputs = tensors();
    } catch (IOException error) {
      throw new IllegalArgumentException("not a model that LiteRT reads", error);
    }
  }

  public int getInputTensorCount() {
    return inputs.length;
  }

  public int getOutputTensorCount() {
    return outputs.length;
  }

  public Tensor getInputTensor(int index) {
    return inputs[index];
  }

  public Tensor getOutputTensor(int index) {
    return outputs[index];
  }

  public void runForMultipleInputsOutputs(Object[] given, Map<Integer, Object> made) {
    try {
      for (Object one : given) write((ByteBuffer) one);
      out.flush();
      for (int index = 0; index < outputs.length; index++) {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        ((ByteBuffer) made.get(index)).put(bytes);
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  @Override
  public void close() {
    process.destroy();
  }

  private Told[] tensors() throws IOException {
    Told[] tensors = new Told[in.readInt()];
    for (int index = 0; index < tensors.length; index++) {
      String name = in.readUTF();
      DataType type = DataType.valueOf(in.readUTF());
      int[] shape = new int[in.readInt()];
      for (int axis = 0; axis < shape.length; axis++) shape[axis] = in.readInt();
      tensors[index] = new Told(name, type, shape, in.readInt());
    }
    return tensors;
  }

  private void write(ByteBuffer buffer) throws IOException {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    out.writeInt(bytes.length);
    out.write(bytes);
  }
}
