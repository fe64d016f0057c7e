package android.os;

public class Build {
  public static final String MODEL = "";
  public static final String HARDWARE = "";
  public static final String SOC_MODEL = "";

  public static class VERSION {
    public static final int SDK_INT = 36;
  }

  public static class VERSION_CODES {
    public static final int S = 31;
  }
}
