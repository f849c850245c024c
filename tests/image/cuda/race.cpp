/* One launch with a real thread for each of the card's, for -fsanitize=thread. */
#define REAL_THREADS
#include "harness.cpp"

int main()
{
    Map in = {60, 23, CHANNELS}, out = {58, WIDTH - 3, CHANNELS};
    Settings settings = {CHANNELS, -3, 30, 0.2f, 256.f};
    Filters filters = {};
    for (size_t i = 0; i < sizeof(filters) / sizeof(float); i++)
        ((float*)&filters)[i] = 0.1f * ((int)(i % 7) - 2);
    std::vector<XNumber> x(in.height * in.width * in.pitch, 0x3c00);
    std::vector<YNumber> y(out.height * out.width * out.pitch, 0);
    std::vector<float> ones(CHANNELS, 1.f);
    const int grid[3] = {1, 1, 2};
    launch(x.data(), y.data(), ones.data(), ones.data(), ones.data(), &in, &out, &settings, &filters, grid);
    return y[y.size() / 2] == 0;
}
