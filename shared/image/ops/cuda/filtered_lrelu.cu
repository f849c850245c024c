/* The filtered leaky ReLU in one pass over a map in channels last:

       y = style * downsample(clamp(leaky(upsample(scale x + bias))))

   A block computes a strip of y: CHANNELS channels, WIDTH columns and `strip` rows. It walks down the strip, ROWS rows of x
   at a time:

       x ─ load ─ tile (shared) ─ filter_columns ─ filtered (shared) ─ filter_rows ─ y

   `filter_columns` upsamples along x, then along y, applies the nonlinearity and downsamples along y. A thread owns one column
   of x, hence UP columns of the upsampled signal, in VECTOR channels. It keeps the newest samples along y in registers, as
   rings, so no row is computed twice and the upsampled signal is never stored. Loops over rows are unrolled over PERIOD rows:
   all indices into the rings are then constants. `filter_rows` downsamples along x.

   Sums are in float32. Scale and bias are applied after the sum along x, the bias times the sum of the taps inside the map,
   as the padding has no bias. So `tile` holds x as stored, and nothing is rounded between x and y.

   NVRTC compiles this text for a card; a C++ compiler compiles it for the tests, behind a header that replaces CUDA's words.

   Macros, all integers: X_HALF, Y_HALF (float16, else float32), UP, DOWN, UP_TAPS (per phase), DOWN_TAPS, SHIFT (phase of the
   first upsampled sample), TERMS (separable filters that sum to the second filter), CHANNELS, VECTOR, GROUPS (columns of x per
   block), ROWS, OUTPUTS (columns of y per thread in filter_rows), LOAD (numbers of x loaded at once; divides channels and
   pitch), PAIRS (1: numbers of y are stored in pairs), BLOCKS (per multiprocessor). */

#ifndef FOR_EACH
/* Distributes `count` items over the threads of a block; the trip count is a constant, so the loop can be unrolled. */
#define FOR_EACH(index, count) \
    for (int turn = 0, index = threadIdx.x; turn < ((count) + THREADS - 1) / THREADS; turn++, index += THREADS) \
        if (index < (count))
#define FOR_THREAD(index) if (const int index = threadIdx.x; true)
#define STATES 1
#define STATE(states, index) states[0]
#endif

#define PERIOD 6
#define WIDTH (((UP * GROUPS - SHIFT - DOWN_TAPS) / DOWN + 1) / (UP / DOWN) * (UP / DOWN))
#define THREADS (GROUPS * CHANNELS / VECTOR)
#define TILE_COLUMNS (GROUPS + UP_TAPS - 1)
#define SLOTS (ROWS * UP / DOWN)                    /* rows of `filtered` */
#define HALF_TAPS (DOWN_TAPS / 2)
#define RUNS ((WIDTH + OUTPUTS - 1) / OUTPUTS)
#define FIRST_PHASE ((SHIFT + DOWN_TAPS - 1) % DOWN) /* upsampled rows of this phase complete a row of y */

static_assert(UP % DOWN == 0 && UP_TAPS == PERIOD && DOWN_TAPS % 2 == 0, "other factors need other rings");
static_assert(UP * PERIOD % DOWN_TAPS == 0 && PERIOD % ROWS == 0, "rings must be back at their start after PERIOD rows");
static_assert(OUTPUTS % (UP / DOWN) == 0 && OUTPUTS <= WIDTH, "a run must begin with the first phase");
static_assert(CHANNELS % 2 == 0 && CHANNELS % LOAD == 0 && CHANNELS % VECTOR == 0, "threads must share channels evenly");

typedef unsigned short Half; /* the bits of a float16 */
#if X_HALF
typedef Half XNumber;
#else
typedef float XNumber;
#endif
#if Y_HALF
typedef Half YNumber;
#else
typedef float YNumber;
#endif

template <int bytes> struct Copied;
template <> struct Copied<2> { typedef unsigned short Type; };
template <> struct Copied<4> { typedef unsigned int Type; };
template <> struct Copied<8> { typedef uint2 Type; };
template <> struct Copied<16> { typedef uint4 Type; };
typedef Copied<LOAD * sizeof(XNumber)>::Type Piece;

struct Filters {                       /* a kernel argument lies in constant memory, where products can read it directly */
    float up[UP][UP_TAPS];             /* per phase, oldest sample first, times UP */
    float down_y[TERMS][HALF_TAPS];    /* symmetric: one half */
    float down_x[TERMS][DOWN_TAPS];
};

struct Map {
    int height, width, pitch;          /* pitch: numbers from one sample to the next along x */
};

struct Settings {
    int channels, first, strip;        /* first: sample of x where the first tile begins; strip: a multiple of UP / DOWN */
    float slope, clamp;
};

struct Column { /* the state of a thread */
    float upsampled[UP_TAPS][UP][VECTOR];   /* ring of rows, upsampled along x */
    float activated[DOWN_TAPS][UP][VECTOR]; /* ring of upsampled rows after the nonlinearity */
    float scale[VECTOR], bias[UP][VECTOR];
};

#ifndef ON_CPU
__device__ inline float to_float(Half bits)
{
    float number;
    asm("cvt.f32.f16 %0, %1;" : "=f"(number) : "h"(bits));
    return number;
}

__device__ inline Half to_half(float number)
{
    Half bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(number));
    return bits;
}
#endif
__device__ inline float to_float(float number) { return number; }

/* The number within -limit..limit; NaN stays NaN, where fminf and fmaxf would drop it. */
__device__ inline float clamped(float number, float limit)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("min.NaN.f32 %0, %0, %1;" : "+f"(number) : "f"(limit));
    asm("max.NaN.f32 %0, %0, %1;" : "+f"(number) : "f"(-limit));
    return number;
#else
    return number != number ? number : fmaxf(fminf(number, limit), -limit);
#endif
}

__device__ inline void read(const XNumber* source, float (&numbers)[1]) { numbers[0] = to_float(source[0]); }

__device__ inline void read(const XNumber* source, float (&numbers)[2])
{
#if X_HALF
    unsigned int both = *(const unsigned int*)source;
    numbers[0] = to_float((Half)(both & 0xffff));
    numbers[1] = to_float((Half)(both >> 16));
#else
    float2 both = *(const float2*)source;
    numbers[0] = both.x, numbers[1] = both.y;
#endif
}

__device__ inline void write(YNumber* target, float first, float second, int count)
{
#if Y_HALF
    Half a = to_half(first), b = to_half(second);
#else
    float a = first, b = second;
#endif
    if (PAIRS) {
#if Y_HALF
        *(unsigned int*)target = a | (unsigned int)b << 16;
#else
        float2 both = {a, b};
        *(float2*)target = both;
#endif
    } else {
        target[0] = a;
        if (count > 1)
            target[1] = b;
    }
}

/* Copies ROWS rows of x from `row` on, for the block's columns and channels, into the tile; zeros outside the map. */
__device__ inline void load(
    const XNumber* __restrict__ x, const Map& in, const Settings& settings, int row, int column, int channel, XNumber* tile)
{
    const int pieces = CHANNELS / LOAD;
#pragma unroll 4
    FOR_EACH(i, ROWS * TILE_COLUMNS * pieces)
    {
        int c = channel + i % pieces * LOAD, q = column + i / pieces % TILE_COLUMNS, p = row + i / (pieces * TILE_COLUMNS);
        Piece piece = Piece();
        if (c < settings.channels && 0 <= q && q < in.width && 0 <= p && p < in.height)
            piece = *(const Piece*)(x + ((long long)p * in.width + q) * in.pitch + c);
        *(Piece*)(tile + i * LOAD) = piece;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) filtered_lrelu(
    const XNumber* __restrict__ x,
    YNumber* __restrict__ y,
    const float* __restrict__ scale, /* per channel, times the gain */
    const float* __restrict__ bias,  /* per channel, times the gain */
    const float* __restrict__ style, /* per channel, applied to y */
    const Map in,
    const Map out,
    const Settings settings,
    const Filters filters)
{
    __shared__ __align__(16) XNumber tile[ROWS * TILE_COLUMNS * CHANNELS];
    __shared__ __align__(16) float filtered[TERMS][SLOTS][UP][GROUPS][CHANNELS];

    const int channel = blockIdx.x * CHANNELS;
    const int out_column = blockIdx.y * WIDTH, out_row = blockIdx.z * settings.strip;
    const int column = settings.first + out_column * DOWN / UP, row = settings.first + out_row * DOWN / UP;
    const int out_end = min(out.height, out_row + settings.strip);
    /* the last row of x that the strip needs, relative to `row` */
    const int last = ((out_end - out_row - 1) * DOWN + SHIFT + DOWN_TAPS - 1) / UP + UP_TAPS - 1;

    Column states[STATES];
    FOR_THREAD(i)
    {
        Column& own = STATE(states, i);
        int place = i / (CHANNELS / VECTOR);
        for (int phase = 0; phase < UP; phase++) {
            float inside = 0; /* the sum of the taps inside the map, as its padding has no bias */
            for (int k = 0; k < UP_TAPS; k++)
                if (0 <= column + place + k && column + place + k < in.width)
                    inside += filters.up[phase][k];
#pragma unroll
            for (int v = 0; v < VECTOR; v++) {
                int c = min(channel + i % (CHANNELS / VECTOR) * VECTOR + v, settings.channels - 1);
                own.scale[v] = scale[c];
                own.bias[phase][v] = bias[c] * inside;
            }
        }
#pragma unroll
        for (int phase = 0; phase < UP; phase++)
#pragma unroll
            for (int v = 0; v < VECTOR; v++) {
#pragma unroll
                for (int k = 0; k < UP_TAPS; k++)
                    own.upsampled[k][phase][v] = 0;
#pragma unroll
                for (int k = 0; k < DOWN_TAPS; k++)
                    own.activated[k][phase][v] = 0;
            }
    }
    load(x, in, settings, row, column, channel, tile);
    __syncthreads();

    for (int begin = 0; begin <= last; begin += PERIOD) {
#pragma unroll
        for (int done = 0; done < PERIOD; done += ROWS) {
            /* filter_columns */
            FOR_THREAD(i)
            {
                Column& own = STATE(states, i);
                const int place = i / (CHANNELS / VECTOR), lane = i % (CHANNELS / VECTOR) * VECTOR;
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    /* Along x: one sample of the map becomes UP. */
                    float(&upsampled)[UP][VECTOR] = own.upsampled[(done + r) % UP_TAPS];
                    float sum[UP][VECTOR] = {};
#pragma unroll
                    for (int k = 0; k < UP_TAPS; k++) {
                        float sample[VECTOR];
                        read(tile + (r * TILE_COLUMNS + place + k) * CHANNELS + lane, sample);
#pragma unroll
                        for (int phase = 0; phase < UP; phase++)
#pragma unroll
                            for (int v = 0; v < VECTOR; v++)
                                sum[phase][v] += filters.up[phase][k] * sample[v];
                    }
                    const int p = row + begin + done + r;
                    const bool is_inside = 0 <= p && p < in.height;
#pragma unroll
                    for (int phase = 0; phase < UP; phase++)
#pragma unroll
                        for (int v = 0; v < VECTOR; v++)
                            upsampled[phase][v] = sum[phase][v] * own.scale[v] + (is_inside ? own.bias[phase][v] : 0.f);

                    /* Along y: upsample, activate, downsample. */
#pragma unroll
                    for (int phase = 0; phase < UP; phase++) {
                        const int newest = ((done + r) * UP + phase) % DOWN_TAPS;
                        float(&activated)[UP][VECTOR] = own.activated[newest];
#pragma unroll
                        for (int c = 0; c < UP; c++)
#pragma unroll
                            for (int v = 0; v < VECTOR; v++) {
                                float u = 0;
#pragma unroll
                                for (int k = 0; k < UP_TAPS; k++)
                                    u += filters.up[phase][k] * own.upsampled[(done + r + 1 + k) % UP_TAPS][c][v];
                                u = fmaxf(u, u * settings.slope); /* NaN only if u is */
                                activated[c][v] = clamped(u, settings.clamp);
                            }
                        if (phase % DOWN == FIRST_PHASE) {
#pragma unroll
                            for (int c = 0; c < UP; c++) {
                                float terms[TERMS][VECTOR] = {};
#pragma unroll
                                for (int k = 0; k < HALF_TAPS; k++)
#pragma unroll
                                    for (int v = 0; v < VECTOR; v++) {
                                        float pair = own.activated[(newest + 1 + k) % DOWN_TAPS][c][v] +
                                                     own.activated[(newest + DOWN_TAPS - k) % DOWN_TAPS][c][v];
#pragma unroll
                                        for (int term = 0; term < TERMS; term++)
                                            terms[term][v] += filters.down_y[term][k] * pair;
                                    }
#pragma unroll
                                for (int term = 0; term < TERMS; term++) {
                                    float* target = &filtered[term][(r * UP + phase) / DOWN][c][place][lane];
                                    if (VECTOR == 2) {
                                        float2 both = {terms[term][0], terms[term][VECTOR - 1]};
                                        *(float2*)target = both;
                                    } else
                                        target[0] = terms[term][0];
                                }
                            }
                        }
                    }
                }
            }
            __syncthreads();
            if (begin + done + ROWS <= last)
                load(x, in, settings, row + begin + done + ROWS, column, channel, tile);

            /* filter_rows */
            FOR_EACH(i, SLOTS * RUNS * (CHANNELS / 2))
            {
                const int lane = i % (CHANNELS / 2) * 2, run = i / (CHANNELS / 2) % RUNS, slot = i / (CHANNELS / 2 * RUNS);
                const int newest = (begin + done - (UP_TAPS - 1)) * UP + FIRST_PHASE + slot * DOWN; /* upsampled row */
                const int m = out_row + (newest - SHIFT - (DOWN_TAPS - 1)) / DOWN;
                const int start = min(run * OUTPUTS, WIDTH - OUTPUTS); /* the last run may overlap its predecessor */
                const int count = min(settings.channels - channel - lane, 2);
                if (newest < SHIFT + DOWN_TAPS - 1 || m >= out_end || count <= 0 || out_column + run * OUTPUTS >= out.width)
                    continue;
                const float factors[2] = {style[channel + lane], style[channel + lane + count - 1]};
                YNumber* target = y + ((long long)m * out.width + out_column + start) * out.pitch + channel + lane;
                float sum[OUTPUTS][2] = {};
#pragma unroll
                for (int term = 0; term < TERMS; term++)
#pragma unroll
                    for (int k = 0; k < (OUTPUTS - 1) * DOWN + DOWN_TAPS; k++) {
                        const int t = k + SHIFT;
                        const float2 both = *(const float2*)&filtered[term][slot][t % UP][start * DOWN / UP + t / UP][lane];
#pragma unroll
                        for (int o = 0; o < OUTPUTS; o++)
                            if (0 <= k - o * DOWN && k - o * DOWN < DOWN_TAPS) {
                                sum[o][0] += filters.down_x[term][k - o * DOWN] * both.x;
                                sum[o][1] += filters.down_x[term][k - o * DOWN] * both.y;
                            }
                    }
#pragma unroll
                for (int o = 0; o < OUTPUTS; o++, target += out.pitch)
                    if (o >= run * OUTPUTS - start && o < out.width - out_column - start)
                        write(target, sum[o][0] * factors[0], sum[o][1] * factors[1], count);
            }
            __syncthreads();
        }
    }
}
