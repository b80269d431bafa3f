#include "launcher/bench/vae_bench.h"

#include "core/random/stream.h"

namespace edt {
namespace {

std::vector<float> drawn(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  random::fill_uniform({0, random::Purpose::kBenchmark, 0, 0}, values);
  for (float& value : values) value = 2 * value - 1;
  return values;
}

}  // namespace

VaeBenchResult bench_autoencoder(Autoencoder& vae, Backend& backend, DType dtype,
                                 const VaeBenchRequest& request) {
  const PictureSize size{request.side, request.side};
  const PictureSize latent = vae.info().latent_size(size);
  const std::vector<float> input =
      drawn(request.pictures *
            (request.decodes ? vae.info().channels * latent.pixels() : 3 * size.pixels()));
  const auto round = [&] {
    request.decodes ? vae.decode(input, latent) : vae.encode(std::span<const float>(input), size);
  };
  std::vector<ConvolutionCall> calls;
  vae.note_convolutions(&calls);
  vae.profiler().reset();
  round();  // primitives are made, memory is taken
  vae.note_convolutions(nullptr);
  const double flops = vae.profiler().total_flops();
  VaeBenchResult result{take_turns(round, calls, backend, dtype, request.seconds)};
  result.flops = flops;
  result.peak_bytes = vae.peak_bytes();
  return result;
}

}  // namespace edt
