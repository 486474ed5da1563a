// The product's kernels, and a few that only tests use, for the pretend driver.
#include "cuda_on_cpu.h"
// The real source: found by -I.
#include "letterbox.cu"

// Adds to each byte; writes `count` of them, whatever the memory's size is: tests of overruns use that.
static void add_bytes(unsigned char *target, const unsigned char *source, int count, int value) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) target[i] = (unsigned char)(source[i] + value);
}

EXPORT_KERNEL(letterbox_bgr_f32)
EXPORT_KERNEL(letterbox_bgr_f16)
EXPORT_KERNEL(letterbox_mono_f32)
EXPORT_KERNEL(letterbox_mono_f16)
EXPORT_KERNEL(letterbox_bayer_f32)
EXPORT_KERNEL(letterbox_bayer_f16)
EXPORT_KERNEL(add_bytes)
