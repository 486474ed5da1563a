// A raw frame to a model's input: demosaic, bilinear scaling, border, colour order and scale in one pass.
//
// Bit-exact with the CPU path (detectors/letterbox.py: cv2.cvtColor, cv2.resize INTER_LINEAR, a border, then a float
// multiplication). All sampling is integer arithmetic on tables that the host makes by OpenCV's rules (preprocess.py), so
// no GPU can round it in another way; the one float operation is a multiplication, which nothing can fuse with an add.
//
// One thread an output pixel. Arguments, the same for every kernel, in the order of preprocess.SIGNATURE:
//   source, stride   the frame, bytes a row
//   target           3 planes of target_h x target_w, in the model's colour order
//   scaled_w/_h      the frame's size in the input, its corner at left, top
//   columns          scaled_w x {x0, x1, a0, a1}: the two source columns and their weights, which sum up to 2048
//   rows             scaled_h x {y0, y1, b0, b1}
//   pad, scale       grey of the border 0..255; factor from bytes to the model's range
//   rgb              1: planes are red, green, blue; 0: blue, green, red
//   frame_w/_h       the frame
//   red              Bayer only: bit 0 is the column, bit 1 the row of red in the 2x2 pattern

typedef unsigned char byte;

struct Half {
  unsigned short bits;
};

// Not by cuda_fp16.h: so nothing but this file makes the PTX. Tests that compile it for the CPU bring their own.
#ifndef HALF_BITS
__device__ __forceinline__ unsigned short half_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
#endif

__device__ __forceinline__ void put(float *target, float value) { *target = value; }
__device__ __forceinline__ void put(Half *target, float value) { target->bits = half_bits(value); }

struct Pixel {
  int b, g, r;
};

struct Bgr {
  const byte *source;
  int stride;
  __device__ __forceinline__ Pixel at(int x, int y) const {
    const byte *p = source + (size_t)y * stride + 3 * x;
    return {p[0], p[1], p[2]};
  }
};

struct Mono {
  const byte *source;
  int stride;
  __device__ __forceinline__ Pixel at(int x, int y) const {
    int v = source[(size_t)y * stride + x];
    return {v, v, v};
  }
};

// OpenCV's bilinear demosaicing: rounded means of the nearest values of each colour; the outermost rows and columns
// repeat their neighbours.
struct Bayer {
  const byte *source;
  int stride, width, height, red;
  __device__ __forceinline__ Pixel at(int x, int y) const {
    x = min(max(x, 1), width - 2);
    y = min(max(y, 1), height - 2);
    const byte *p = source + (size_t)y * stride + x, *up = p - stride, *down = p + stride;
    int here = p[0];
    int beside = (p[-1] + p[1] + 1) >> 1, above = (up[0] + down[0] + 1) >> 1;
    bool red_column = (x & 1) == (red & 1), red_row = (y & 1) == (red >> 1);
    if (red_column != red_row)  // green: red lies beside it in red's row, above it in blue's
      return red_row ? Pixel{above, here, beside} : Pixel{beside, here, above};
    int cross = (p[-1] + p[1] + up[0] + down[0] + 2) >> 2;
    int corners = (up[-1] + up[1] + down[-1] + down[1] + 2) >> 2;
    return red_row ? Pixel{corners, cross, here} : Pixel{here, cross, corners};
  }
};

// OpenCV's fixed-point bilinear: 11 bits of weight in x, then in y, with its two truncations and one rounding.
__device__ __forceinline__ int blend(int p00, int p01, int p10, int p11, const int *column, const int *row) {
  int upper = p00 * column[2] + p01 * column[3], lower = p10 * column[2] + p11 * column[3];
  return (((row[2] * (upper >> 4)) >> 16) + ((row[3] * (lower >> 4)) >> 16) + 2) >> 2;
}

template <class Frame>
__device__ __forceinline__ Pixel sample(const Frame &frame, const int *column, const int *row) {
  Pixel a = frame.at(column[0], row[0]), b = frame.at(column[1], row[0]);
  Pixel c = frame.at(column[0], row[1]), d = frame.at(column[1], row[1]);
  return {blend(a.b, b.b, c.b, d.b, column, row), blend(a.g, b.g, c.g, d.g, column, row),
          blend(a.r, b.r, c.r, d.r, column, row)};
}

template <class Frame, class Value>
__device__ __forceinline__ void letterbox(const Frame &frame, Value *target, int target_w, int target_h, int scaled_w,
                                          int scaled_h, int left, int top, const int *columns, const int *rows,
                                          int pad, float scale, int rgb) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= target_w || y >= target_h) return;
  Pixel pixel = {pad, pad, pad};
  int column = x - left, row = y - top;
  if (column >= 0 && row >= 0 && column < scaled_w && row < scaled_h)
    pixel = sample(frame, columns + 4 * column, rows + 4 * row);
  size_t plane = (size_t)target_w * target_h, at = (size_t)y * target_w + x;
  put(target + at, (rgb ? pixel.r : pixel.b) * scale);
  put(target + plane + at, pixel.g * scale);
  put(target + 2 * plane + at, (rgb ? pixel.b : pixel.r) * scale);
}

#define KERNEL(NAME, VALUE, FRAME)                                                                                     \
  extern "C" __global__ void NAME(const byte *source, int stride, VALUE *target, int target_w, int target_h,           \
                                  int scaled_w, int scaled_h, int left, int top, const int *columns, const int *rows,  \
                                  int pad, float scale, int rgb, int frame_w, int frame_h, int red) {                  \
    letterbox(FRAME, target, target_w, target_h, scaled_w, scaled_h, left, top, columns, rows, pad, scale, rgb);       \
  }

#define BGR (Bgr{source, stride})
#define MONO (Mono{source, stride})
#define BAYER (Bayer{source, stride, frame_w, frame_h, red})

KERNEL(letterbox_bgr_f32, float, BGR)
KERNEL(letterbox_bgr_f16, Half, BGR)
KERNEL(letterbox_mono_f32, float, MONO)
KERNEL(letterbox_mono_f16, Half, MONO)
KERNEL(letterbox_bayer_f32, float, BAYER)
KERNEL(letterbox_bayer_f16, Half, BAYER)
