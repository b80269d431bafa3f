// Latents of REPA-E, normalised by channel with the statistics that come with them and 1e-4 beside
// the variance.
#include <gtest/gtest.h>

#include "data/dataset.h"
#include "data/writer.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_model.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

TEST(NormalisedLatents, AsRepaESeesThem) {
  for (const std::string& name : golden_models("sit+repa-e")) {
    const GoldenFile file(name);
    const auto shape = file.shape("/expected/latents");
    data::Description d;
    d.channels = static_cast<int>(shape[1]);
    d.height = static_cast<int>(shape[2]);
    d.width = static_cast<int>(shape[3]);
    d.classes = 1;
    d.image_size = 16 * d.height;
    d.type = h5::Type::kFloat32;
    d.channel_mean = file.read<double>("/inputs/latents_bias");
    for (const double scale : file.read<double>("/inputs/latents_scale")) {
      d.channel_std.push_back(1 / scale);
    }
    const TempDir directory;
    const auto latents = file.read<float>("/expected/latents");
    const auto samples = static_cast<std::uint64_t>(shape[0]);
    data::DatasetWriter writer(directory / "set", d, samples);
    writer.append(latents, {}, std::vector<std::int32_t>(samples));
    writer.finish();
    const double eps = file.number("/", "bn_eps");
    const data::Dataset set(directory / "set", {.normalize = true, .normalize_eps = eps});
    std::vector<data::SampleRef> refs;
    for (std::uint64_t i = 0; i < samples; ++i) refs.push_back({.index = i});
    std::vector<float> normalised(latents.size());
    data::ReadScratch scratch;
    set.read(refs, 0, scratch, normalised);
    EXPECT_LE(relative_error(normalised, file.read<float>("/expected/normalised")), 1e-6) << name;
  }
}

}  // namespace
}  // namespace edt::test
