// Features beside latents, as people give them on the command line.
#include "tests/launcher/data/import_cli.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class FeaturesCli : public DataCli {
 protected:
  FeaturesCli() {
    write_npy(path("x.npy"), "<f4", {kSamples, 4, 2, 2}, latents(0, kSamples));
    write_npy(path("y.npy"), "<i8", {kSamples}, labels(0, kSamples));
    write_features("f.npy", kSamples);
  }

  void write_features(const std::string& name, std::uint64_t samples) const {
    std::vector<float> values(samples * 4 * 6);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 50) - 20;
    write_npy(path(name), "<f4", {samples, 4, 6}, values);
  }

  const std::string given_ = "--latents x.npy --labels y.npy --scaled on ";
};

TEST_F(FeaturesCli, ImportInfoVerifyRepackAndBench) {
  import(given_ + "--features dino=f.npy");
  expect_latents();
  EXPECT_THAT(edt("data info set", "2>&1").output, HasSubstr("dino 4 x 6 float16"));
  EXPECT_THAT(edt("data info set --json", "2>&1").output,
              AllOf(HasSubstr("\"name\": \"dino\""), HasSubstr("\"flipped\": false")));
  EXPECT_EQ(edt("data verify set", "2>&1").status, 0);
  EXPECT_EQ(edt("data repack set more --features small=f.npy --features-dtype int8", "2>&1").status,
            0);
  EXPECT_THAT(edt("data info more", "2>&1").output,
              AllOf(HasSubstr("dino 4 x 6 float16"), HasSubstr("small 4 x 6 int8")));
  // 64 bytes of latents in float32, 24 float16, 24 int8 with 4 scales.
  const std::string bench = "bench data more --seconds 0.01 --batch 4 --json --features ";
  EXPECT_THAT(edt(bench + "dino", "2>&1").output, HasSubstr("\"sample_bytes\": 112,"));
  EXPECT_THAT(edt(bench + "dino,small", "2>&1").output, HasSubstr("\"sample_bytes\": 152,"));
  const CommandOutcome none = edt(bench + "clip", "2>&1 >/dev/null");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.output, AllOf(HasSubstr("no array 'clip'"), HasSubstr("small 4 x 6 int8")));
}

TEST_F(FeaturesCli, OneLineForWhatDoesNotFit) {
  write_features("short.npy", kSamples - 1);
  EXPECT_THAT(refused(given_ + "--features dino=short.npy"),
              AllOf(HasSubstr("short.npy: 11 samples"), HasSubstr("x.npy has 12")));
  EXPECT_THAT(refused(given_ + "--features f.npy"), HasSubstr("expected NAME=VALUE"));
  EXPECT_THAT(refused(given_ + "--features-dtype int8"),
              HasSubstr("--features-dtype has no effect without --features"));
  EXPECT_THAT(refused(given_ + "--flipped-latents x2.npy --features dino=f.npy"),
              HasSubstr("x2.npy"));
  write_npy(path("x2.npy"), "<f4", {kSamples, 4, 2, 2}, latents(0, kSamples, -1));
  EXPECT_THAT(
      refused(given_ + "--flipped-latents x2.npy --features dino=f.npy"),
      AllOf(HasSubstr("f.npy: has no mirrored copies"), HasSubstr("--flipped-features dino=PATH")));
}

}  // namespace
}  // namespace edt::test
