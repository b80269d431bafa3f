// edt evaluate as people call it, with Inception of full size and weights made by a rule.
#include <fmt/format.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/npy.h"
#include "tests/golden/evaluation/ruled_inception.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/picture_files.h"
#include "tests/support/places.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class EvaluateCli : public Cli {
 protected:
  // The weights are 96 MB: once for all tests.
  static void SetUpTestSuite() {
    shared_ = new TempDir();
    const GoldenFile golden(in_sources("tests/golden/evaluation/inception.h5"));
    write_ruled_inception(golden, *shared_ / "inception.safetensors");
  }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }
  static std::string weights() {
    return " --inception " + (*shared_ / "inception.safetensors").string();
  }

  // The same pictures in a folder of PNGs and in an .npz.
  void write_pictures(const std::string& name, int count, unsigned seed) const {
    NpzWriter npz(path_ + "/" + name + ".npz", "arr_0",
                  {static_cast<std::uint64_t>(count), 48, 48, 3});
    for (int i = 0; i < count; ++i) {
      const Image image = drawn_picture(48, 48, seed + static_cast<unsigned>(i));
      npz.append(image.pixels);
      write_text(fmt::format("{}/{}/{:03}.png", path_, name, i), png_file(image));
    }
    npz.finish();
  }

  static inline TempDir* shared_ = nullptr;
};

TEST_F(EvaluateCli, JudgesFoldersAndArraysAlikeOverRanks) {
  write_pictures("a", 10, 0);
  write_pictures("b", 6, 1000);
  const std::string options = weights() + " --reference " + path_ +
                              "/ref.h5 --kid-size 5 --kid-subsets 3 --json --threads 1";
  const Outcome made = run("evaluate reference " + path_ + "/b --out " + path_ + "/ref.h5" +
                           weights() + " --threads 1");
  ASSERT_EQ(made.status, 0);
  EXPECT_EQ(made.output, path_ + "/ref.h5: 6 pictures, features of 6 kept\n");

  const Outcome folder = run("evaluate " + path_ + "/a" + options);
  ASSERT_EQ(folder.status, 0) << folder.output;
  auto figures = parse_json(folder.output, "figures");
  EXPECT_GT(figures["fid"]["value"].get<double>(), 0);
  EXPECT_EQ(figures["samples"]["pictures"], 10);
  EXPECT_EQ(figures["reference"]["pictures"], 6);
  EXPECT_EQ(figures["network"]["resize"], "adm");
  EXPECT_TRUE(figures.contains("sfid") && figures.contains("kid") && figures.contains("recall"));
  EXPECT_THAT(figures["notes"][0].get<std::string>(), HasSubstr("10 samples: published figures"));

  figures["samples"].erase("source");
  const Outcome array =
      mpirun(fmt::format("-np 3 {} evaluate {}/a.npz{}", edt_program(), path_, options));
  ASSERT_EQ(array.status, 0) << array.output;
  auto others = parse_json(array.output, "figures");
  others["samples"].erase("source");
  EXPECT_EQ(figures, others);  // to the last bit

  // With every figure stand the network, its way of resizing, and how many pictures there are.
  EXPECT_THAT(
      run("evaluate " + path_ + "/a" + weights() + " --reference " + path_ + "/ref.h5").output,
      AllOf(HasSubstr("network:   Inception "), HasSubstr(", resized as adm"),
            HasSubstr(path_ + "/a, 10 pictures"), HasSubstr("/ref.h5, 6 pictures"),
            HasSubstr("10 samples of 2048 features: their covariance has no full rank"),
            HasSubstr("6 of reference, of 2048 features")));

  // A set is at no distance of itself. Roots of eigenvalues near 0 keep half of their digits.
  const Outcome same = run("evaluate " + path_ + "/b.npz" + options);
  const auto itself = parse_json(same.output, "figures");
  EXPECT_NEAR(itself["fid"]["value"].get<double>(), 0, 1e-5);
  EXPECT_EQ(itself["precision"], 1.0);
  EXPECT_EQ(itself["coverage"], 1.0);
}

TEST_F(EvaluateCli, RefusesWhatCannotBeCompared) {
  write_pictures("a", 3, 0);
  const std::string samples = "evaluate " + path_ + "/a.npz" + weights() + " --reference ";
  ASSERT_EQ(run("evaluate reference " + path_ + "/a --out " + path_ + "/ref.h5 --resize clean" +
                weights())
                .status,
            0);
  EXPECT_THAT(refusal(samples + path_ + "/ref.h5"),
              HasSubstr("ref.h5 was resized as clean, the samples would be as adm"));
  const std::string tables = in_sources("tests/golden/evaluation/reference_adm.npz");
  EXPECT_THAT(refusal(samples + tables),
              HasSubstr("reference_adm.npz has statistics of 64 features, Inception gives 2048"));
  EXPECT_THAT(refusal(samples + path_ + "/none.npz"), HasSubstr("there is no such file or folder"));
  const std::string alone = in_sources("tests/golden/evaluation/reference_pytorch_fid.npz");
  EXPECT_THAT(refusal("evaluate " + alone + weights() + " --reference " + path_ + "/ref.h5"),
              HasSubstr("arr_0"));
  write_text(path_ + "/weights", "not weights");
  EXPECT_THAT(refusal("evaluate " + path_ + "/a.npz --inception " + path_ +
                      "/weights --reference " + path_ + "/ref.h5"),
              HasSubstr("weights"));
  write_text(path_ + "/a/broken.png", "\x89PNG\r\n");
  EXPECT_THAT(refusal("evaluate " + path_ + "/a" + weights() + " --reference " + path_ +
                      "/ref.h5 --resize clean"),
              HasSubstr("broken.png"));
  // Numbers between 0 and 1 that became bytes.
  NpzWriter dark(path_ + "/dark.npz", "arr_0", {3, 8, 8, 3});
  dark.append(std::vector<std::uint8_t>(3 * 8 * 8 * 3, 1));
  dark.finish();
  const std::string clean = weights() + " --resize clean --reference " + path_ + "/ref.h5";
  EXPECT_THAT(refusal("evaluate " + path_ + "/dark.npz" + clean),
              HasSubstr("dark.npz: the first 3 pictures are of the values 0 and 1 alone"));
  NpzWriter alpha(path_ + "/alpha.npz", "arr_0", {2, 8, 8, 4});
  alpha.append(std::vector<std::uint8_t>(2 * 8 * 8 * 4, 9));
  alpha.finish();
  EXPECT_THAT(refusal("evaluate " + path_ + "/alpha.npz" + clean),
              HasSubstr("arr_0 is uint8 [2, 8, 8, 4], pictures are uint8 [N, H, W, 3]"));
  write_text(path_ + "/mixed/a.png", png_file(drawn_picture(48, 48, 1)));
  write_text(path_ + "/mixed/b.png", png_file(drawn_picture(64, 32, 2)));
  EXPECT_THAT(run("evaluate " + path_ + "/mixed" + clean).output,
              HasSubstr("mixed: pictures of several sizes, 48 x 32 to 64 x 48 pixels"));
  EXPECT_THAT(refusal("evaluate " + path_ + "/mixed" + weights() + " --reference " + path_ + "/a"),
              HasSubstr("a/broken.png"));
  NpzWriter one(path_ + "/one.npz", "arr_0", {1, 8, 8, 3});
  one.append(std::vector<std::uint8_t>(8 * 8 * 3));
  one.finish();
  EXPECT_THAT(
      refusal("evaluate " + path_ + "/one.npz" + weights() + " --reference " + path_ + "/ref.h5"),
      HasSubstr("1 picture, a covariance takes 2 or more"));
}

// Before pictures are looked at: features of a set take hours.
TEST_F(EvaluateCli, RefusesAReferenceThatCouldNotBeWritten) {
  write_pictures("a", 2, 0);
  const std::string command =
      "evaluate reference " + path_ + "/a --inception " + write("none.safetensors", "") + " --out ";
  EXPECT_THAT(refusal(command + path_ + "/ref.npz"), HasSubstr("--out"));
  EXPECT_THAT(refusal(command + path_ + "/a"), HasSubstr("--out"));
  EXPECT_THAT(refusal(command + path_ + "/none/ref.h5"), HasSubstr("there is no directory"));
}

}  // namespace
}  // namespace edt::test
