// What a pass promises beside its values: sizes, independence of neighbours and of threads, tiles.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"
#include "tests/support/drawn_autoencoder.h"
#include "tests/support/message_of.h"
#include "tests/support/omp_threads.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<float> drawn(std::int64_t count, std::uint64_t seed = 1) {
  std::vector<float> values(static_cast<std::size_t>(count));
  random::fill_uniform({seed, random::Purpose::kBenchmark, 0, 0}, values);
  for (float& value : values) value = 2 * value - 1;
  return values;
}

class Passes : public testing::Test {
 protected:
  std::unique_ptr<Autoencoder> make(const std::vector<NamedShape>& tensors,
                                    AutoencoderOptions options = {}) {
    write_autoencoder(directory_ / "vae.safetensors", tensors);
    options.norm_groups = 4;
    return Autoencoder::load(directory_ / "vae.safetensors", *backend_, options);
  }

  TempDir directory_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
};

TEST_F(Passes, CountsOfThePublishedNetworks) {
  const auto count = [](const std::vector<NamedShape>& tensors, const char* beginning) {
    std::int64_t sum = 0;
    for (const NamedShape& tensor : tensors) {
      if (tensor.name.starts_with(beginning)) sum += tensor.shape.elements();
    }
    return sum;
  };
  // pytorch's own counts of the published modules; the encoder's with quant_conv's 72.
  const auto sd = published_tensors("sd");
  EXPECT_EQ(sd.size(), 248u);
  EXPECT_EQ(count(sd, ""), 83'653'863);
  EXPECT_EQ(count(sd, "encoder.") + count(sd, "quant_conv."), 34'163'664);
  EXPECT_EQ(published_tensors("flux").size(), 244u);
  EXPECT_EQ(published_tensors("taesd").size(), 134u);
  EXPECT_EQ(count(published_tensors("taesd"), "encoder."), 1'222'532);
  EXPECT_EQ(published_tensors("dc-ae").size(), 375u);
}

TEST_F(Passes, SizesFollowFromWhatTheEncoderDoes) {
  const auto kl = make(kl_tensors({.widths = {8, 8, 8}}));  // factor 4, rounded down
  EXPECT_EQ(kl->info().latent_size({13, 8}), (PictureSize{3, 2}));
  EXPECT_EQ(kl->encode(std::span<const float>(drawn(3 * 13 * 8)), {13, 8}).size(), 2u * 4 * 3 * 2);
  EXPECT_THAT(message_of<Error>([&] {
                kl->encode(std::span<const float>(drawn(3 * 3 * 9)), {3, 9});
              }),
              AllOf(HasSubstr("9 x 3"), HasSubstr("4 x 4")));
  EXPECT_EQ(kl->decode(drawn(4 * 3 * 2), {3, 2}).size(), 3u * 12 * 8);

  const auto tiny = make(taesd_tensors(8, 4));  // factor 8, rounded up
  EXPECT_EQ(tiny->info().latent_size({9, 1}), (PictureSize{2, 1}));
  EXPECT_EQ(tiny->encode(std::span<const float>(drawn(3 * 9)), {9, 1}).size(), 4u * 2);

  const auto dc = make(dc_ae_tensors({8, 16, 32, 32}, 4));
  EXPECT_EQ(dc->encode(std::span<const float>(drawn(3 * 16 * 8)), {16, 8}).size(), 4u * 2);
  EXPECT_THAT(message_of<Error>([&] {
                dc->encode(std::span<const float>(drawn(3 * 16 * 9)), {16, 9});
              }),
              AllOf(HasSubstr("9 x 16"), HasSubstr("multiples of 8")));
}

// On arm64 the last bits depend on the number of threads: seen with three.
TEST_F(Passes, PicturesDoNotDependOnNeighboursOrThreads) {
  const auto vae = make(kl_tensors({.widths = {16, 32, 32}}));
  const PictureSize size{48, 40};
  const std::vector<float> two = drawn(2 * 3 * size.pixels());
  const std::vector<float> both = vae->encode(std::span<const float>(two), size);
  const auto second = std::span<const float>(two).subspan(two.size() / 2);
  const std::vector<float> alone = vae->encode(second, size);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                         both.begin() + static_cast<std::ptrdiff_t>(both.size() / 2)));
  for (const int other : {1, 2, 3}) {
    const OmpThreads threads(other);
    const auto again = make(kl_tensors({.widths = {16, 32, 32}}));
#ifdef __x86_64__
    EXPECT_EQ(again->encode(second, size), alone) << other << " threads";
#else  // values of about 1 after some thousand roundings of 1e-7
    EXPECT_THAT(again->encode(second, size), testing::Pointwise(testing::FloatNear(1e-5f), alone))
        << other << " threads";
#endif
  }
}

TEST_F(Passes, TilesLeaveSmallPicturesAlone) {
  const auto whole = make(kl_tensors({.widths = {8, 8}}));
  const auto tiled = make(kl_tensors({.widths = {8, 8}}), {.tile = 16});
  const std::vector<float> small = drawn(3 * 16 * 16), large = drawn(3 * 17 * 16);
  const auto encode = [](Autoencoder& vae, const std::vector<float>& picture, PictureSize size) {
    return vae.encode(std::span<const float>(picture), size);
  };
  EXPECT_EQ(encode(*whole, small, {16, 16}), encode(*tiled, small, {16, 16}));
  EXPECT_NE(encode(*whole, large, {17, 16}), encode(*tiled, large, {17, 16}));
  EXPECT_EQ(encode(*tiled, large, {17, 16}).size(), encode(*whole, large, {17, 16}).size());
  EXPECT_EQ(tiled->decode(drawn(4 * 9 * 8), {9, 8}).size(), 3u * 18 * 16);
}

// However large the picture, a pass sees a tile. Without them, memory grows with the pixels.
TEST_F(Passes, TilesBoundTheMemoryOfAPass) {
  const auto tensors = kl_tensors({.widths = {16, 16}});
  const auto peak = [&](std::int64_t tile, std::int64_t side) {
    const auto vae = make(tensors, {.tile = tile});
    vae->decode(drawn(4 * side * side), {side, side});
    return static_cast<double>(vae->peak_bytes());
  };
  EXPECT_EQ(peak(64, 128), peak(64, 64));
  EXPECT_EQ(peak(64, 64), peak(0, 32)) << "that of one tile";
  EXPECT_NEAR(peak(0, 128) / peak(0, 64), 4, 0.1);
}

TEST_F(Passes, BytesAndValues) {
  const std::vector<std::uint8_t> bytes{0, 1, 127, 128, 254, 255};
  std::vector<float> values(bytes.size());
  bytes_to_values(bytes, values);
  EXPECT_EQ(values.front(), -1.f);
  EXPECT_EQ(values.back(), 1.f);
  std::vector<std::uint8_t> back(bytes.size());
  values_to_bytes(values, back);
  // Cut off, not rounded: the middle of a step of 255 / 2 in 127.5 x + 128.
  EXPECT_EQ(back, (std::vector<std::uint8_t>{0, 1, 127, 128, 254, 255}));
  values = {-2.f, -1.004f, 1.5f, NAN, 0.f, -0.0001f};
  values_to_bytes(values, back);
  EXPECT_EQ(back, (std::vector<std::uint8_t>{0, 0, 255, 0, 128, 127}));
}

// Log variances are cut where the published networks cut them.
TEST_F(Passes, DeviationsHaveBounds) {
  std::vector<float> moments{7, 7, 7, -100, 0, 100};
  log_variances_to_deviations(moments);
  EXPECT_EQ(moments[0], 7);
  EXPECT_FLOAT_EQ(moments[3], std::exp(-15.f));
  EXPECT_EQ(moments[4], 1);
  EXPECT_FLOAT_EQ(moments[5], std::exp(10.f));
}

// Weights that are finite and too large: no picture of NaN is written.
TEST_F(Passes, WhatOverflowsIsAnError) {
  const auto of_half = [&](const char* layer) {
    write_autoencoder(directory_ / "vae.safetensors", kl_tensors({.widths = {8, 8}}),
                      {.change = [&](NamedShape& tensor, std::vector<float>& values) {
                        if (tensor.name == layer) std::ranges::fill(values, 3e38f);
                      }});
    return Autoencoder::load(directory_ / "vae.safetensors", *backend_, {.norm_groups = 4});
  };
  EXPECT_THAT(message_of<NumericError>([&] {
                of_half("decoder.conv_out.weight")->decode(drawn(4 * 4 * 4), {4, 4});
              }),
              HasSubstr("the decoder of"));
  EXPECT_THAT(message_of<NumericError>([&] {
                of_half("encoder.conv_out.weight")
                    ->encode(std::span<const float>(drawn(3 * 8 * 8)), {8, 8});
              }),
              HasSubstr("the encoder of"));
}

TEST_F(Passes, ConvolutionsAreNoted) {
  const auto vae = make(kl_tensors({.widths = {8, 16}}));
  std::vector<ConvolutionCall> calls;
  vae->note_convolutions(&calls);
  vae->decode(drawn(4 * 3 * 2), {3, 2});
  double flops = 0;
  for (const ConvolutionCall& call : calls) flops += call.form.flops(call.x);
  double counted = 0;
  for (const Profiler::Entry& entry : vae->profiler().entries()) {
    if (entry.name == "convolution.forward") counted = entry.flops;
  }
  EXPECT_EQ(flops, counted);
  EXPECT_EQ(calls.front().form.inputs, 4);
  EXPECT_EQ(calls.back().form.outputs, 3);
}

}  // namespace
}  // namespace edt::test
