#include "launcher/bench/vae_bench.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/random/stream.h"
#include "launcher/machine/measuring.h"

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
  VaeBenchResult result{.flops = vae.profiler().total_flops()};
  const auto ceiling = backend.convolution_ceiling(calls, dtype);
  if (ceiling) ceiling->run();
  std::vector<double> own, library;
  constexpr std::size_t kLeast = 2;
  const auto begin = Clock::now();
  while (own.size() < kLeast || seconds_since(begin) < request.seconds) {
    own.push_back(backend.seconds_of(round));
    if (ceiling) library.push_back(ceiling->run());
  }
  result.rounds = own.size();
  result.seconds = median(own);
  result.fastest_seconds = *std::ranges::min_element(own);
  if (ceiling) result.ceiling_seconds = median(library);
  result.peak_bytes = vae.peak_bytes();
  return result;
}

}  // namespace edt
