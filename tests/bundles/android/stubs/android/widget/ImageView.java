package android.widget;

import android.content.Context;

public class ImageView extends android.view.View {
  public ImageView(Context context) {
    super(context);
  }

  public native boolean getAdjustViewBounds();

  public native void setAdjustViewBounds(boolean adjusts);

  public native void setImageBitmap(android.graphics.Bitmap bitmap);
}
