// The few types and numbers of NVIDIA's cuda.h that the pretend driver needs, so that g++ is all it takes to build it.
#pragma once
#include <cstddef>
#include <cstdint>

typedef int R;  // CUresult
typedef unsigned long long CUdeviceptr;
typedef struct stream_handle *CUstream;
typedef struct event_handle *CUevent;
typedef struct graph_handle *CUgraph;
typedef struct exec_handle *CUgraphExec;
typedef struct module_handle *CUmodule;
typedef struct function_handle *CUfunction;

enum {
  OK = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  NO_BINARY = 209,
  INVALID_PTX = 218,
  UNSUPPORTED_PTX = 222,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
  UNKNOWN = 999,
};
