/* Lets a C++ compiler for x86 compile filtered_lrelu.cu. One thread computes a whole block, phase after phase; with
   REAL_THREADS a block has a thread for each of the card's, which lets ThreadSanitizer find a missing barrier. */
#pragma once
#define ON_CPU
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#ifdef REAL_THREADS
#include <pthread.h>

#include <thread>
#include <vector>
#endif

using std::min;

struct Index { int x, y, z; };
struct alignas(8) float2 { float x, y; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };

#define __device__
#define __global__
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))

static Index blockIdx;
#ifdef REAL_THREADS
static thread_local Index threadIdx;
static pthread_barrier_t barrier;
static inline void __syncthreads() { pthread_barrier_wait(&barrier); }
#else
#define STATES THREADS
#define STATE(states, index) states[index]
#define FOR_THREAD(index) FOR_EACH(index, THREADS)
#define FOR_EACH(index, count) for (int index = 0; index < (count); index++)
static inline void __syncthreads() {}
#endif

static inline float to_float(unsigned short bits) { return _cvtsh_ss(bits); }
static inline unsigned short to_half(float number) { return _cvtss_sh(number, _MM_FROUND_TO_NEAREST_INT); }
