// CUDA C as plain C++: runs a kernel for each thread of each block, one after the other. No shared memory, no
// __syncthreads, no warps: what the kernels here do without.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#define __global__
#define __device__
#define __forceinline__ inline
// The kernel's conversion to half: to nearest, halves to even, as the GPU's cvt.rn.
#define HALF_BITS
static inline unsigned short half_bits(float value) {
  _Float16 half = (_Float16)value;
  unsigned short bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}
using std::max;
using std::min;

struct Dim3 {
  unsigned x, y, z;
};
static thread_local Dim3 blockIdx, threadIdx, blockDim, gridDim;

template <class... A, size_t... I>
static void call_once(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
  kernel(*(A *)arguments[I]...);
}

template <class... A>
static void run_grid(void (*kernel)(A...), const unsigned *grid, const unsigned *block, void **arguments) {
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
        for (threadIdx.z = 0; threadIdx.z < block[2]; ++threadIdx.z)
          for (threadIdx.y = 0; threadIdx.y < block[1]; ++threadIdx.y)
            for (threadIdx.x = 0; threadIdx.x < block[0]; ++threadIdx.x)
              call_once(kernel, arguments, std::index_sequence_for<A...>{});
}

// Arguments lie in one buffer at their natural alignment: the form of CU_LAUNCH_PARAM_BUFFER_POINTER. Returns its size.
template <class... A>
static size_t unpack(void (*)(A...), char *buffer, void **arguments) {
  size_t offset = 0, i = 0;
  ((offset = (offset + alignof(A) - 1) / alignof(A) * alignof(A), arguments[i++] = buffer + offset, offset += sizeof(A)),
   ...);
  return offset;
}
template <class... A, size_t... I>
static void pack_all(void (*)(A...), void **arguments, char *buffer, std::index_sequence<I...>) {
  size_t offset = 0;
  ((offset = (offset + alignof(A) - 1) / alignof(A) * alignof(A), std::memcpy(buffer + offset, arguments[I], sizeof(A)),
    offset += sizeof(A)),
   ...);
}
template <class... A>
static void pack(void (*kernel)(A...), void **arguments, char *buffer) {
  pack_all(kernel, arguments, buffer, std::index_sequence_for<A...>{});
}

// What the pretend driver looks for: run_NAME(grid, block, buffer) returns the arguments' size, and runs where grid is not
// null; pack_NAME(arguments, buffer).
#define EXPORT_KERNEL(NAME)                                                                       \
  extern "C" size_t run_##NAME(const unsigned *grid, const unsigned *block, char *buffer) {       \
    void *arguments[32];                                                                          \
    size_t size = unpack(NAME, buffer, arguments);                                                \
    if (grid) run_grid(NAME, grid, block, arguments);                                             \
    return size;                                                                                  \
  }                                                                                               \
  extern "C" void pack_##NAME(void **arguments, char *buffer) { pack(NAME, arguments, buffer); }
