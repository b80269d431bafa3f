// What a decoder would take, found out over memory that is not there, against what it takes.
#include "model/plan/autoencoder_run.h"

#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"
#include "model/autoencoder/published.h"

namespace edt {
namespace {

TEST(DecoderRun, CountsWeightsAndOnePicture) {
  constexpr PictureSize kLatent{16, 16};
  const auto backend = make_cpu_backend();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const AutoencoderOptions options{.decode = dtype, .use = AutoencoderUse::kDecoding};
    const auto load = [&](Backend& on) { return drawn_autoencoder("taesd", on, options); };
    const auto planned = static_cast<double>(dry_run_of_decoder(load, kLatent).bytes);
    const auto real = load(*backend);
    real->decode(std::vector<float>(4 * 16 * 16, 0.5f), kLatent);
    const double weights =
        static_cast<double>(real->info().decoder_parameters) * static_cast<double>(size_of(dtype));
    const double activations = static_cast<double>(real->peak_bytes());
    EXPECT_GE(planned, weights + activations);
    // Memory comes in slabs of 64 MiB; Winograd's way keeps 16 or 36 numbers for 9 weights, beside
    // these while it makes them.
    EXPECT_LE(planned, (1 + 36.0 / 9) * weights + activations + (64 << 20));
  }
}

TEST(DecoderRun, GrowsWithThePictureAndNotWithTheEncoder) {
  using enum AutoencoderUse;
  const auto bytes = [](PictureSize latent, AutoencoderUse use) {
    return dry_run_of_decoder(
               [&](Backend& on) { return drawn_autoencoder("taesd", on, {.use = use}); }, latent)
        .bytes;
  };
  EXPECT_GT(bytes({128, 128}, kDecoding), 2 * bytes({16, 16}, kDecoding));
  EXPECT_GT(bytes({16, 16}, kBoth), bytes({16, 16}, kDecoding) + 4'000'000) << "1.22 M parameters";
}

// Published: 136.4 GMAC to encode 256 x 256 pixels, 558 for 512 x 512.
TEST(AutoencoderRun, CountsTheProductsOfEncoding) {
  const auto load = [](Backend& on) { return drawn_autoencoder("sd", on); };
  EXPECT_NEAR(dry_run_of_encoder(load, {256, 256}).flops, 2 * 136.4e9, 0.1e9);
  EXPECT_NEAR(dry_run_of_encoder(load, {512, 512}).flops, 2 * 558e9, 1e9);
}

}  // namespace
}  // namespace edt
