package android.widget;

import android.content.Context;

public class LinearLayout extends android.view.ViewGroup {
  public LinearLayout(Context context) {
    super(context);
  }

  public static final int VERTICAL = 1;

  public native int getOrientation();

  public native void setOrientation(int orientation);
}
