#include "launcher/train/run_changes.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace edt::test
