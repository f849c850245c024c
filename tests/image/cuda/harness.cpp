/* The kernel as a function for ctypes: its arguments by pointer, and the grid. */
#include "on_cpu.h"

#include "filtered_lrelu.cu"

extern "C" int width() { return WIDTH; }
extern "C" int threads() { return THREADS; }
extern "C" int shared_bytes()
{
    return sizeof(XNumber) * ROWS * TILE_COLUMNS * CHANNELS + sizeof(float) * TERMS * SLOTS * UP * GROUPS * CHANNELS;
}

extern "C" void launch(const void* x, void* y, const float* scale, const float* bias, const float* style, const Map* in,
    const Map* out, const Settings* settings, const Filters* filters, const int* grid)
{
    for (int z = 0; z < grid[2]; z++)
        for (int v = 0; v < grid[1]; v++)
            for (int u = 0; u < grid[0]; u++) {
                blockIdx = {u, v, z};
#ifdef REAL_THREADS
                pthread_barrier_init(&barrier, nullptr, THREADS);
                std::vector<std::thread> block;
                for (int i = 0; i < THREADS; i++)
                    block.emplace_back([=] {
                        threadIdx = {i, 0, 0};
                        filtered_lrelu((const XNumber*)x, (YNumber*)y, scale, bias, style, *in, *out, *settings, *filters);
                    });
                for (std::thread& each : block)
                    each.join();
                pthread_barrier_destroy(&barrier);
#else
                filtered_lrelu((const XNumber*)x, (YNumber*)y, scale, bias, style, *in, *out, *settings, *filters);
#endif
            }
}
