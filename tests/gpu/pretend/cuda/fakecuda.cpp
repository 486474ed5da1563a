// A pretend libcuda.so.1 for tests on machines without a GPU. See ../../README.md for how tests use it.
//
// Contexts are a stack for each thread; memory has its bounds checked and device memory cannot be read by the host;
// streams run at once (eager) or only when somebody waits (deferred: what a missing wait would leave unfinished, is
// unfinished); graphs are recorded and replayed; kernels are the real CUDA source, compiled by g++ ($FAKECUDA_KERNELS).
// Faults are asked for by FAKECUDA_<NAME> in the environment or fakecuda_set(name, value) while it runs: see `knobs`.
#include "fakecuda.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

typedef std::function<void()> Work;
struct Op {
  Work work;
  bool trap;  // a wild access in it is an error of the GPU's, not of the process
};
struct Context {};
struct Capture {
  std::vector<Op> ops;
  bool broken = false;
};
struct Stream {
  std::deque<Op> queue;
  bool blocking = false;
  std::shared_ptr<Capture> capture;
};
struct Event {
  Stream *stream = nullptr;
  long asked = 0, happened = 0;  // how often it was recorded, and how many of these are done
  bool captured = false;
};
struct Graph {
  std::vector<Op> ops;
};
struct Module {
  std::string text;
};
struct Function {
  size_t (*run)(const unsigned *, const unsigned *, char *);
  void (*pack)(void **, char *);
};
struct Block {
  size_t bytes, mapped;
  uintptr_t base;
  bool device;
};

static std::recursive_mutex mutex;
static std::condition_variable_any woken;
static thread_local std::vector<Context *> stack_;
static thread_local Stream *capturing = nullptr;  // the stream that this thread captures
static Context *primary = nullptr;
static std::map<uintptr_t, Block> blocks;
static std::map<std::string, long> counts;
static std::map<std::string, long> knobs;
static std::set<void *> streams, events, graphs, execs, modules;
static Stream null_stream;
static R sticky = OK;  // an error that only a new context (here: fakecuda_reset) ends
static int access_ = 0;
typedef std::unique_lock<std::recursive_mutex> Lock;

static const std::map<std::string, long> DEFAULTS = {
    {"deferred", 0},        // 1: work is done when somebody waits or asks, not before
    {"protect", 1},         // 0: device memory may be read by the host (for measurements)
    {"idle_kernels", 0},    // 1: kernels do nothing (for measurements)
    {"oom_at", 0},          // n: the n-th allocation from now on, and all after it, find no memory
    {"hang", 0},            // 1: streams stand still until it is set to 0
    {"hang_at", 0},         // n: they begin to stand still with the n-th kernel or graph from now on
    {"lost", 0},            // a CUresult: each call returns it
    {"lose_after", 0},      // n: after n calls more, each returns 999
    {"refuse_capture", 0},  // 1: at begin, 2: at end, 3: no executable graph
    {"integrated", 1},      // 0: a card of its own
    {"version", 12060},     // the newest CUDA that the driver speaks
    {"init", 0},            // a CUresult for cuInit
    {"init_hangs", 0},      // 1: cuInit does not return
    {"init_crashes", 0},    // 1: cuInit kills the process
    {"devices", 1},         // how many
    {"capability", 87},     // 75: sm_75
    {"memory_mb", 8192},
};

static void read_knobs() {
  knobs = DEFAULTS;
  for (auto &knob : knobs) {
    std::string name = "FAKECUDA_" + knob.first;
    for (auto &c : name) c = (char)toupper(c);
    if (const char *value = getenv(name.c_str())) knob.second = atol(value);
  }
  const char *mode = getenv("FAKECUDA_MODE");
  if (mode && !strcmp(mode, "deferred")) knobs["deferred"] = 1;
}
static long knob(const char *name) {
  if (knobs.empty()) read_knobs();
  return knobs.at(name);
}
static void count(const char *name) { counts[name]++; }

// --- what every call begins with: a lost device answers nothing; most calls need a context
static R lost() {
  count("calls");
  if (knob("lose_after") > 0 && --knobs["lose_after"] == 0) knobs["lost"] = UNKNOWN;
  return knob("lost") ? (R)knobs["lost"] : sticky;
}
static R needs_context() {
  if (R error = lost()) return error;
  if (!stack_.empty()) return OK;
  count("no_context");
  return INVALID_CONTEXT;
}
#define ENTER Lock lock(mutex); if (R error = needs_context()) return error
#define ENTER_ANYWHERE Lock lock(mutex); if (R error = lost()) return error
// Calls that may wait break a capture of their own thread.
#define NOT_WHILE_CAPTURING if (capturing) { capturing->capture->broken = true; count("unsafe_in_capture"); return CAPTURE_UNSUPPORTED; }
#define LIVE(SET, HANDLE) if (!SET.count((void *)HANDLE)) { count("dead_handle"); return INVALID_HANDLE; }
#define LIVE_STREAM(HANDLE) if ((uintptr_t)HANDLE > 2) LIVE(streams, HANDLE)

// --- memory
static const size_t PAGE = 4096, ALIGNED = 256;
static const unsigned char FRESH = 0xCD, FENCE = 0xFD;
static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }
static void protect(const Block &b, bool open) {
  if (b.device && knob("protect")) mprotect((void *)b.base, b.mapped, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}
static void open_memory() {
  if (access_++ == 0) for (auto &b : blocks) protect(b.second, true);
}
static void close_memory() {
  if (--access_ == 0) for (auto &b : blocks) protect(b.second, false);
}
// A block ends at a page that nobody may touch, but for up to 255 bytes, which are a fence that is looked at.
static uintptr_t allocate(size_t bytes, bool device) {
  size_t mapped = up(up(bytes, ALIGNED), PAGE);
  char *base = (char *)mmap(0, mapped + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(base + mapped, PAGE, PROT_NONE);
  uintptr_t start = (uintptr_t)base + mapped - up(bytes, ALIGNED);
  memset(base, FRESH, mapped);
  memset((void *)(start + bytes), FENCE, up(bytes, ALIGNED) - bytes);
  blocks[start] = {bytes, mapped, (uintptr_t)base, device};
  if (!access_) protect(blocks[start], false);
  return start;
}
static bool fences_hold() {
  for (auto &b : blocks)
    for (uintptr_t p = b.first + b.second.bytes; p < b.first + up(b.second.bytes, ALIGNED); ++p)
      if (*(unsigned char *)p != FENCE) return false;
  return true;
}
static bool inside(uintptr_t p, size_t n, bool device) {
  auto it = blocks.upper_bound(p);
  if (it == blocks.begin()) return false;
  --it;
  return it->second.device == device && p + n <= it->first + it->second.bytes;
}
static R refuse_memory() {
  count("allocations");
  if (knob("oom_at") > 0 && counts["allocations"] >= knobs["oom_at"]) return OUT_OF_MEMORY;
  return OK;
}

// --- running work
static thread_local sigjmp_buf wild;
static void on_wild_access(int) { siglongjmp(wild, 1); }
static void run(const Op &op) {
  open_memory();
  if (op.trap) {
    struct sigaction ours = {}, before_segv, before_bus;
    ours.sa_handler = on_wild_access;
    ours.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &ours, &before_segv);
    sigaction(SIGBUS, &ours, &before_bus);
    if (sigsetjmp(wild, 1) == 0) op.work();
    else sticky = ILLEGAL_ADDRESS;
    sigaction(SIGSEGV, &before_segv, nullptr);
    sigaction(SIGBUS, &before_bus, nullptr);
    if (!fences_hold()) sticky = ILLEGAL_ADDRESS;
    if (sticky) count("illegal_address");
  } else {
    op.work();
  }
  close_memory();
}
static void wait_while_hung(Lock &lock) {
  while (knob("hang") && !knob("lost")) woken.wait(lock);
}
static void run_first(Stream *s) {
  Op op = std::move(s->queue.front());
  s->queue.pop_front();
  if (!sticky) run(op);
}
static void drain(Stream *s, Lock &lock) {
  while (!s->queue.empty()) {
    wait_while_hung(lock);
    if (knob("lost")) { s->queue.clear(); return; }
    if (!s->queue.empty()) run_first(s);
  }
}
static void drain_all(Lock &lock) {
  drain(&null_stream, lock);
  for (auto s : std::set<void *>(streams)) drain((Stream *)s, lock);
}
static void drain_blocking(Lock &lock) {
  drain(&null_stream, lock);
  for (auto s : std::set<void *>(streams)) if (((Stream *)s)->blocking) drain((Stream *)s, lock);
}
static bool busy() {
  for (auto s : streams) if (!((Stream *)s)->queue.empty()) return true;
  return !null_stream.queue.empty();
}
static Stream *stream_of(CUstream h) { return (uintptr_t)h <= 2 ? &null_stream : (Stream *)h; }
static R enqueue(CUstream h, Lock &lock, bool trap, Work work) {
  Stream *s = stream_of(h);
  if (s->capture) { s->capture->ops.push_back({std::move(work), trap}); return OK; }
  if (s == &null_stream) {
    for (auto other : streams) if (((Stream *)other)->blocking && ((Stream *)other)->capture) return CAPTURE_IMPLICIT;
    count("null_stream");
    drain_blocking(lock);
  }
  s->queue.push_back({std::move(work), trap});
  if (!knob("deferred") && !knob("hang")) drain(s, lock);
  return OK;
}
static void count_towards_hang() {
  count("launches");
  if (knob("hang_at") > 0 && --knobs["hang_at"] == 0) knobs["hang"] = 1;
}

extern "C" {
// --- for tests
void fakecuda_access(int on) { Lock lock(mutex); on ? open_memory() : close_memory(); }
long fakecuda_stat(const char *name) {
  Lock lock(mutex);
  std::string n = name;
  if (n == "live_device" || n == "live_host") return [&] { long k = 0; for (auto &b : blocks) k += b.second.device == (n == "live_device"); return k; }();
  if (n == "live_bytes") return [&] { long k = 0; for (auto &b : blocks) k += b.second.device ? b.second.bytes : 0; return k; }();
  if (n == "live_streams") return streams.size();
  if (n == "live_events") return events.size();
  if (n == "live_graphs") return graphs.size() + execs.size();
  if (n == "live_modules") return modules.size();
  if (n == "queued") return [&] { long k = null_stream.queue.size(); for (auto s : streams) k += ((Stream *)s)->queue.size(); return k; }();
  return counts[n];
}
long fakecuda_live(int device) { return fakecuda_stat(device ? "live_device" : "live_host"); }
int fakecuda_set(const char *name, long value) {
  Lock lock(mutex);
  knob("deferred");
  if (!knobs.count(name)) return 1;
  knobs[name] = value;
  if (!strcmp(name, "oom_at")) counts["allocations"] = 0;
  woken.notify_all();
  return 0;
}
// Faults as at the start, counters at 0, a working device; what lives stays.
void fakecuda_reset() {
  Lock lock(mutex);
  read_knobs();
  long references = counts["primary"];
  counts.clear();
  counts["primary"] = references;
  sticky = OK;
  woken.notify_all();
}

// --- driver and devices
R cuInit(unsigned) {
  if (knob("init_crashes")) raise(SIGSEGV);
  while (knob("init_hangs")) pause();
  return (R)knob("init");
}
R cuDriverGetVersion(int *v) { *v = (int)knob("version"); return OK; }
R cuDeviceGetCount(int *n) { ENTER_ANYWHERE; *n = (int)knob("devices"); return OK; }
R cuDeviceGet(int *d, int i) { ENTER_ANYWHERE; *d = i; return i >= 0 && i < knob("devices") ? OK : INVALID_DEVICE; }
R cuDeviceGetName(char *s, int n, int) { ENTER_ANYWHERE; snprintf(s, n, knob("integrated") ? "Orin (pretend)" : "Pretend RTX"); return OK; }
R cuDeviceTotalMem_v2(size_t *n, int) { ENTER_ANYWHERE; *n = (size_t)knob("memory_mb") << 20; return OK; }
R cuDeviceGetPCIBusId(char *s, int n, int) { ENTER_ANYWHERE; snprintf(s, n, "0000:00:00.0"); return OK; }
R cuDeviceGetUuid_v2(void *u, int) { ENTER_ANYWHERE; memset(u, 7, 16); return OK; }
R cuDeviceGetUuid(void *u, int d) { return cuDeviceGetUuid_v2(u, d); }
R cuDeviceComputeCapability(int *a, int *b, int) { ENTER_ANYWHERE; *a = (int)knob("capability") / 10; *b = (int)knob("capability") % 10; return OK; }
R cuDeviceGetAttribute(int *v, int attribute, int) {
  ENTER_ANYWHERE;
  static const std::map<int, long> KNOWN = {{16, 8}, {19, 1}, {41, 1}};  // SM count, can map host memory, unified addresses
  if (attribute == 18) *v = (int)knob("integrated");
  else if (attribute == 75) *v = (int)knob("capability") / 10;
  else if (attribute == 76) *v = (int)knob("capability") % 10;
  else *v = KNOWN.count(attribute) ? (int)KNOWN.at(attribute) : 1024;
  return OK;
}
static const char *error_name(R e) {
  static const std::map<R, const char *> NAMES = {
      {OK, "CUDA_SUCCESS"}, {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"}, {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
      {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"}, {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
      {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"}, {NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
      {INVALID_PTX, "CUDA_ERROR_INVALID_PTX"}, {UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"},
      {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"}, {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
      {NOT_READY, "CUDA_ERROR_NOT_READY"}, {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"}, {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
      {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
      {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
      {CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"}, {CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT"},
      {UNKNOWN, "CUDA_ERROR_UNKNOWN"}};
  auto it = NAMES.find(e);
  return it == NAMES.end() ? nullptr : it->second;
}
R cuGetErrorName(R e, const char **s) { *s = error_name(e); return *s ? OK : INVALID_VALUE; }
R cuGetErrorString(R e, const char **s) {
  static std::map<R, std::string> texts;
  Lock lock(mutex);
  *s = nullptr;
  if (!error_name(e)) return INVALID_VALUE;
  texts[e] = std::string("pretend text of ") + error_name(e);
  *s = texts[e].c_str();
  return OK;
}

// --- contexts
R cuCtxCreate_v2(Context **c, unsigned, int) { ENTER_ANYWHERE; stack_.push_back(*c = new Context); count("own_contexts"); return OK; }
R cuCtxDestroy_v2(Context *c) { ENTER_ANYWHERE; if (!stack_.empty() && stack_.back() == c) stack_.pop_back(); return OK; }
R cuCtxDetach(Context *c) { return cuCtxDestroy_v2(c); }
R cuCtxAttach(Context **c, unsigned) { ENTER; *c = stack_.back(); return OK; }
R cuCtxPushCurrent_v2(Context *c) { ENTER_ANYWHERE; if (c == primary && !counts["primary"]) return INVALID_CONTEXT; stack_.push_back(c); return OK; }
R cuCtxPopCurrent_v2(Context **c) { Lock lock(mutex); if (stack_.empty()) return INVALID_CONTEXT; if (c) *c = stack_.back(); stack_.pop_back(); return OK; }
R cuCtxSetCurrent(Context *c) { ENTER_ANYWHERE; if (!stack_.empty()) stack_.pop_back(); if (c) stack_.push_back(c); return OK; }
R cuCtxGetCurrent(Context **c) { ENTER_ANYWHERE; *c = stack_.empty() ? nullptr : stack_.back(); return OK; }
R cuCtxGetDevice(int *d) { ENTER; *d = 0; return OK; }
R cuCtxSynchronize() { ENTER; NOT_WHILE_CAPTURING; drain_all(lock); return lost(); }
R cuCtxGetApiVersion(Context *, unsigned *v) { *v = 12020; return OK; }
R cuDevicePrimaryCtxRetain(Context **c, int) { ENTER_ANYWHERE; if (!primary) primary = new Context; *c = primary; count("primary"); return OK; }
// With its last owner the context takes everything with it, as the real one does.
R cuDevicePrimaryCtxRelease_v2(int) {
  Lock lock(mutex);
  if (counts["primary"] <= 0) return INVALID_CONTEXT;
  if (--counts["primary"] == 0) {
    if (!(blocks.empty() && streams.empty() && events.empty() && execs.empty())) count("released_too_early");
    if (!knob("lost")) drain_all(lock);
    for (auto &b : blocks) munmap((void *)b.second.base, b.second.mapped + PAGE);
    blocks.clear();
    for (auto set : {&streams, &events, &graphs, &execs, &modules}) set->clear();
  }
  return (R)knob("lost");
}

// --- memory
R cuMemAlloc_v2(CUdeviceptr *p, size_t n) {
  ENTER; NOT_WHILE_CAPTURING;
  if (!n) return INVALID_VALUE;
  if (R error = refuse_memory()) return error;
  count("device_allocations");
  *p = allocate(n, true);
  return OK;
}
static R release(uintptr_t p, bool device, Lock &lock) {
  auto it = blocks.find(p);
  if (it == blocks.end() || it->second.device != device) return INVALID_VALUE;
  if (busy()) { count("free_while_busy"); drain_all(lock); }
  munmap((void *)it->second.base, it->second.mapped + PAGE);
  blocks.erase(it);
  return OK;
}
R cuMemFree_v2(CUdeviceptr p) { ENTER; NOT_WHILE_CAPTURING; return release(p, true, lock); }
R cuMemHostAlloc(void **p, size_t n, unsigned) {
  ENTER; NOT_WHILE_CAPTURING;
  if (!n) return INVALID_VALUE;
  if (R error = refuse_memory()) return error;
  count("host_allocations");
  *p = (void *)allocate(n, false);
  return OK;
}
R cuMemAllocHost_v2(void **p, size_t n) { return cuMemHostAlloc(p, n, 0); }
R cuMemFreeHost(void *p) { ENTER; NOT_WHILE_CAPTURING; return release((uintptr_t)p, false, lock); }
R cuMemHostGetDevicePointer_v2(CUdeviceptr *d, void *p, unsigned) { ENTER; if (!inside((uintptr_t)p, 1, false)) return INVALID_VALUE; *d = (CUdeviceptr)p; return OK; }
R cuMemGetInfo_v2(size_t *f, size_t *t) { ENTER; *f = *t = (size_t)knob("memory_mb") << 20; return OK; }

static R copy(uintptr_t to, uintptr_t from, size_t n, bool to_device, bool from_device, CUstream h, bool async) {
  ENTER; LIVE_STREAM(h);
  if ((to_device && !inside(to, n, true)) || (from_device && !inside(from, n, true))) { count("bad_range"); return INVALID_VALUE; }
  Work work = [=] { memcpy((void *)to, (void *)from, n); };
  if (!async) { NOT_WHILE_CAPTURING; drain_blocking(lock); run({work, true}); return lost(); }
  if ((!to_device && !inside(to, n, false)) || (!from_device && !inside(from, n, false))) count("async_pageable");
  return enqueue(h, lock, true, work);
}
R cuMemcpyHtoD_v2(CUdeviceptr d, const void *s, size_t n) { return copy(d, (uintptr_t)s, n, true, false, 0, false); }
R cuMemcpyDtoH_v2(void *d, CUdeviceptr s, size_t n) { return copy((uintptr_t)d, s, n, false, true, 0, false); }
R cuMemcpyDtoD_v2(CUdeviceptr d, CUdeviceptr s, size_t n) { return copy(d, s, n, true, true, 0, false); }
R cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, CUstream h) { return copy(d, (uintptr_t)s, n, true, false, h, true); }
R cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, CUstream h) { return copy((uintptr_t)d, s, n, false, true, h, true); }
R cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, CUstream h) { return copy(d, s, n, true, true, h, true); }
R cuMemsetD8_v2(CUdeviceptr d, unsigned char v, size_t n) {
  ENTER; NOT_WHILE_CAPTURING;
  if (!inside(d, n, true)) { count("bad_range"); return INVALID_VALUE; }
  drain_blocking(lock);
  run({[=] { memset((void *)d, v, n); }, true});
  return lost();
}
R cuMemsetD8Async(CUdeviceptr d, unsigned char v, size_t n, CUstream h) {
  ENTER; LIVE_STREAM(h);
  if (!inside(d, n, true)) { count("bad_range"); return INVALID_VALUE; }
  return enqueue(h, lock, true, [=] { memset((void *)d, v, n); });
}

// --- streams
R cuStreamCreate(CUstream *s, unsigned flags) { ENTER; auto x = new Stream; x->blocking = !(flags & 1); streams.insert(x); *s = (CUstream)x; return OK; }
R cuStreamCreateWithPriority(CUstream *s, unsigned flags, int) { return cuStreamCreate(s, flags); }
R cuStreamDestroy_v2(CUstream h) { ENTER; LIVE(streams, h); drain(stream_of(h), lock); streams.erase((void *)h); return OK; }
R cuStreamSynchronize(CUstream h) {
  ENTER; LIVE_STREAM(h);
  if (stream_of(h)->capture) stream_of(h)->capture->broken = true;
  NOT_WHILE_CAPTURING;
  if (stream_of(h) == &null_stream) drain_blocking(lock);
  else drain(stream_of(h), lock);
  return lost();
}
R cuStreamQuery(CUstream h) {
  ENTER; LIVE_STREAM(h); NOT_WHILE_CAPTURING;
  Stream *s = stream_of(h);
  if (!s->queue.empty() && !knob("hang")) run_first(s);
  return sticky ? sticky : s->queue.empty() ? OK : NOT_READY;
}
R cuLaunchHostFunc(CUstream h, void (*f)(void *), void *data) { ENTER; LIVE_STREAM(h); return enqueue(h, lock, false, [=] { f(data); }); }

// --- events
R cuEventCreate(CUevent *e, unsigned) { ENTER; auto x = new Event; events.insert(x); *e = (CUevent)x; return OK; }
R cuEventDestroy_v2(CUevent e) { ENTER; LIVE(events, e); events.erase((void *)e); return OK; }  // the struct stays: work may name it
R cuEventRecord(CUevent e, CUstream h) {
  ENTER; LIVE(events, e); LIVE_STREAM(h);
  auto x = (Event *)e;
  x->stream = stream_of(h);
  x->captured = x->stream->capture != nullptr;
  if (x->captured) return enqueue(h, lock, false, [=] { x->captured = false; x->happened = x->asked; });
  long which = ++x->asked;
  return enqueue(h, lock, false, [=] { if (x->happened < which) x->happened = which; });
}
static void reach(Event *x, long which, Lock &lock) {
  while (x->happened < which && !x->stream->queue.empty()) {
    wait_while_hung(lock);
    if (knob("lost")) return;
    if (!x->stream->queue.empty()) run_first(x->stream);
  }
}
R cuEventSynchronize(CUevent e) {
  ENTER; LIVE(events, e); NOT_WHILE_CAPTURING;
  auto x = (Event *)e;
  if (x->captured) return CAPTURED_EVENT;
  if (x->happened < x->asked) reach(x, x->asked, lock);
  return lost();
}
// A question moves the work on by one step in deferred mode, so that a loop that only asks comes to an end.
R cuEventQuery(CUevent e) {
  ENTER; LIVE(events, e); NOT_WHILE_CAPTURING;
  auto x = (Event *)e;
  if (x->captured) return CAPTURED_EVENT;
  if (x->happened >= x->asked) return OK;
  if (!knob("hang") && !x->stream->queue.empty()) run_first(x->stream);
  return sticky ? sticky : NOT_READY;
}
R cuEventElapsedTime(float *t, CUevent, CUevent) { *t = 0.001f; return OK; }
R cuStreamWaitEvent(CUstream h, CUevent e, unsigned) {
  ENTER; LIVE(events, e); LIVE_STREAM(h);
  auto x = (Event *)e;
  long which = x->asked;
  return enqueue(h, lock, false, [=] { Lock inner(mutex); reach(x, which, inner); });
}

// --- graphs
R cuStreamBeginCapture_v2(CUstream h, int mode) {
  ENTER; LIVE_STREAM(h);
  if (knob("refuse_capture") == 1) return NOT_SUPPORTED;
  Stream *s = stream_of(h);
  if (s == &null_stream || capturing) return CAPTURE_UNSUPPORTED;
  s->capture = std::make_shared<Capture>();
  if (mode != 2) capturing = s;
  return OK;
}
R cuStreamEndCapture(CUstream h, CUgraph *g) {
  Lock lock(mutex);
  Stream *s = stream_of(h);
  if (!s->capture) return INVALID_VALUE;
  auto capture = std::move(s->capture);
  s->capture = nullptr;
  if (capturing == s) capturing = nullptr;
  if (R error = lost()) return error;
  if (capture->broken || knob("refuse_capture") == 2) { *g = nullptr; return CAPTURE_INVALIDATED; }
  auto graph = new Graph{std::move(capture->ops)};
  graphs.insert(graph);
  *g = (CUgraph)graph;
  return OK;
}
R cuGraphInstantiateWithFlags(CUgraphExec *x, CUgraph g, unsigned long long) {
  ENTER; LIVE(graphs, g); NOT_WHILE_CAPTURING;
  if (knob("refuse_capture") == 3) return NOT_SUPPORTED;
  auto exec = new Graph(*(Graph *)g);
  execs.insert(exec);
  *x = (CUgraphExec)exec;
  return OK;
}
R cuGraphLaunch(CUgraphExec x, CUstream h) {
  ENTER; LIVE(execs, x); LIVE_STREAM(h);
  count("graph_launches");
  count_towards_hang();
  for (auto &op : ((Graph *)x)->ops) if (R error = enqueue(h, lock, op.trap, op.work)) return error;
  return OK;
}
R cuGraphDestroy(CUgraph g) { ENTER_ANYWHERE; LIVE(graphs, g); graphs.erase((void *)g); delete (Graph *)g; return OK; }
R cuGraphExecDestroy(CUgraphExec x) { ENTER_ANYWHERE; LIVE(execs, x); execs.erase((void *)x); delete (Graph *)x; return OK; }

// --- modules, kernels
static void *kernels() {
  static void *h = nullptr;
  const char *path = getenv("FAKECUDA_KERNELS");
  if (!h && path) h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!h) fprintf(stderr, "fakecuda: FAKECUDA_KERNELS does not name the compiled kernels: %s\n", path ? dlerror() : "not set");
  return h;
}
// As the real one: PTX of a newer version than the driver's, or for newer GPUs, is refused.
R cuModuleLoadData(CUmodule *m, const void *image) {
  ENTER; NOT_WHILE_CAPTURING;
  std::string text((const char *)image);
  int major = 0, minor = 0, target = 0;
  size_t version = text.find(".version "), arch = text.find(".target sm_");
  if (version == std::string::npos || arch == std::string::npos) return INVALID_PTX;
  sscanf(text.c_str() + version, ".version %d.%d", &major, &minor);
  sscanf(text.c_str() + arch, ".target sm_%d", &target);
  long newest = knob("version") >= 13000 ? 90 + knob("version") % 1000 / 10 : 80 + knob("version") % 1000 / 10;
  if (10 * major + minor > newest) return UNSUPPORTED_PTX;
  if (target > knob("capability")) return NO_BINARY;
  if (!kernels()) return INVALID_PTX;
  auto x = new Module{text};
  modules.insert(x);
  *m = (CUmodule)x;
  return OK;
}
R cuModuleLoadDataEx(CUmodule *m, const void *p, unsigned, int *, void **) { return cuModuleLoadData(m, p); }
R cuModuleUnload(CUmodule m) { ENTER; LIVE(modules, m); modules.erase((void *)m); return OK; }
R cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
  ENTER; LIVE(modules, m);
  if (((Module *)m)->text.find(std::string(".entry ") + name + "(") == std::string::npos) return NOT_FOUND;
  auto x = new Function{(decltype(Function::run))dlsym(kernels(), (std::string("run_") + name).c_str()),
                        (decltype(Function::pack))dlsym(kernels(), (std::string("pack_") + name).c_str())};
  if (!x->run || !x->pack) return NOT_FOUND;
  *f = (CUfunction)x;
  return OK;
}
R cuFuncGetAttribute(int *v, int, CUfunction) { *v = 0; return OK; }
R cuFuncSetSharedSize(CUfunction, unsigned) { return OK; }
R cuFuncSetCacheConfig(CUfunction, int) { return OK; }
R cuFuncSetBlockShape(CUfunction, int, int, int) { return OK; }
R cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                 CUstream h, void **params, void **extra) {
  ENTER; LIVE_STREAM(h);
  if (!gx || !gy || !gz || !bx || !by || !bz || (size_t)bx * by * bz > 1024) return INVALID_VALUE;
  auto x = (Function *)f;
  auto buffer = std::make_shared<std::vector<char>>(512);
  if (params) {
    x->pack(params, buffer->data());
  } else {
    void *data = nullptr;
    size_t size = 0, want = x->run(nullptr, nullptr, buffer->data());
    for (int i = 0; extra[i]; i += 2) {
      if (extra[i] == (void *)1) data = extra[i + 1];
      if (extra[i] == (void *)2) size = *(size_t *)extra[i + 1];
    }
    if (size != want) {
      count("bad_argsize");
      fprintf(stderr, "fakecuda: kernel wants %zu argument bytes, got %zu\n", want, size);
      return INVALID_VALUE;
    }
    memcpy(buffer->data(), data, size);
  }
  count("kernels");
  if (!stream_of(h)->capture) count_towards_hang();
  if (knob("idle_kernels")) return enqueue(h, lock, false, [] {});
  std::vector<unsigned> grid{gx, gy, gz}, block{bx, by, bz};
  return enqueue(h, lock, true, [=] { x->run(grid.data(), block.data(), buffer->data()); });
}
R cuProfilerStart() { return OK; }
R cuProfilerStop() { return OK; }
R cuProfilerInitialize(const char *, const char *, int) { return OK; }

R cuGetProcAddress_v2(const char *name, void **f, int, unsigned long long, int *status) {
  Dl_info here;
  dladdr((void *)fakecuda_stat, &here);
  void *self = dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  std::string n = !strcmp(name, "cuGraphInstantiate") ? "cuGraphInstantiateWithFlags" : name;
  *f = nullptr;
  for (auto suffix : {"_v2", ""}) if (!*f) *f = dlsym(self, (n + suffix).c_str());
  if (status) *status = *f ? 0 : 1;
  return OK;
}
R cuGetProcAddress(const char *name, void **f, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, f, version, flags, nullptr);
}
}
