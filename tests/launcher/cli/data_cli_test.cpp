// `edt data` as a shell sees it.
#include <filesystem>
#include <string>

#include "tests/support/edt_program.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

TEST_F(Cli, ImportSaysWhatIsOfNoUse) {
  const std::string weights = write("w.safetensors", ""), folder = path_ + "/f";
  std::filesystem::create_directories(folder);
  const std::string to = " --out " + path_ + "/set --latents ";
  EXPECT_THAT(refusal("data import" + to + path_ + "/none"), HasSubstr("none: there is no such"));
  EXPECT_THAT(refusal("data import" + to + folder), HasSubstr("f: holds no files of arrays"));
  EXPECT_THAT(refusal("data import" + to + weights), HasSubstr("w.safetensors: is empty"));
  write("f/0.npy", "\x93NUMPY");
  EXPECT_THAT(refusal("data import" + to + folder + " --labels " + folder + " --latents-key x"),
              HasSubstr("--latents-key is a name within"));
  EXPECT_THAT(refusal("data import --out " + path_ + "/set --latents ''"),
              HasSubstr("a text that is not empty"));
}

TEST_F(Cli, QuietIsQuiet) {
  const std::string synth = "data synth --samples 4 --image-size 64 --out " + path_ + "/set";
  EXPECT_THAT(run(synth, "2>&1").output, HasSubstr("4 samples of 4 x 8 x 8"));
  EXPECT_EQ(run(synth + "2 --quiet", "2>&1").output, "");
  EXPECT_EQ(run("data repack --quiet " + path_ + "/set " + path_ + "/set3", "2>&1").output, "");
  EXPECT_EQ(run("data adopt --quiet " + path_ + "/set", "2>&1").output, "");
}

}  // namespace
}  // namespace edt::test
