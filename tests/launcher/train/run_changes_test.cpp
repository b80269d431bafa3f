#include "launcher/train/run_changes.h"

#include <gtest/gtest.h>

#include "data/dataset.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

// Runs of programs that knew the latents of Stable Diffusion's VAE alone go on as they are.
TEST(RunChanges, ConfigurationsWithoutLatentsHadFourChannelsOfFactorEight) {
  const std::string model = "[model]\npreset = EDT-Ti/2\nimage-size = 64\n";
  const auto changes = [&](const std::string& more) {
    return text_of(changes_between({.configuration = model}, {.configuration = model + more}, "x"));
  };
  EXPECT_EQ(changes("channels = 4\nvae-factor = 8\n"), "");
  EXPECT_EQ(changes("channels = 16\nvae-factor = 8\n"), "model.channels 4 -> 16");
  EXPECT_EQ(changes("channels = 4\nvae-factor = 16\n"), "model.vae-factor 8 -> 16");
}

// A few samples are looked at, and all labels: a set of which one was labelled anew is another one.
TEST(RunChanges, OneLabelMakesAnotherDataSet) {
  const TempDir directory;
  const auto identity_with = [&](const std::string& name, std::uint64_t labelled_anew) {
    const data::Description d = data::test::small_description();
    data::DatasetWriter writer(directory / name, d, 40, {.samples_per_shard = 16});
    for (std::uint64_t i = 0; i < 40; ++i) {
      const std::vector<std::int32_t> label{i == labelled_anew ? 4 : 3};
      writer.append(data::test::values_of(d, i), {}, label, {});
    }
    writer.finish();
    return RunIdentity{
        .configuration = "[model]\npreset = EDT-Ti/2\nchannels = 4\nvae-factor = 8\n",
        .data = data_identity(data::Dataset(directory / name), false)};
  };
  const RunIdentity before = identity_with("a", 40), after = identity_with("b", 1);
  EXPECT_EQ(text_of(changes_between(before, identity_with("c", 40), "x")), "");
  const std::string changes = text_of(changes_between(before, after, "x"));
  EXPECT_TRUE(changes.starts_with("data set's checksum of labels")) << changes;
}

}  // namespace
}  // namespace edt::test
