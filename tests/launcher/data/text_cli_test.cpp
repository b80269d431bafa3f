// Texts beside latents, and pictures with captions, as people give them on the command line.
#include "tests/launcher/data/import_cli.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class TextCli : public DataCli {
 protected:
  TextCli() {
    write_npy(path("x.npy"), "<f4", {kSamples, 4, 2, 2}, latents(0, kSamples));
    write_npy(path("y.npy"), "<i8", {kSamples}, labels(0, kSamples));
    write_npy(path("t.npy"), "<f4", {kSamples, 3, 8}, std::vector<float>(kSamples * 24, 0.5f));
    write_npy(path("n.npy"), "<i8", {kSamples}, std::vector<std::int64_t>(kSamples, 2));
    write_npy(path("null.npy"), "<f4", {1, 8}, std::vector<float>(8, 1.f));
    std::string lines;
    for (std::uint64_t i = 0; i < kSamples; ++i) lines += fmt::format("caption {}\n", i);
    write_bytes(path("c.txt"), lines);
  }

  std::string line(const std::string& arguments) const {
    const CommandOutcome outcome = edt(arguments, "2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    return without_warnings(outcome.output);
  }

  const std::string given_ = "--latents x.npy --labels y.npy --scaled on ";
  const std::string texts_ = "--text t.npy --text-lengths n.npy --null-text null.npy ";
};

TEST_F(TextCli, ImportInfoVerifyRepackAndBench) {
  import(given_ + texts_ + "--captions c.txt --text-encoder bert");
  expect_latents();
  EXPECT_THAT(edt("data info set", "2>&1").output,
              HasSubstr("up to 2 tokens of 8 channels, encoder bert, with captions"));
  EXPECT_THAT(edt("data info set --json", "2>&1").output,
              AllOf(HasSubstr("\"null_tokens\": 1"), HasSubstr("\"encoder\": \"bert\"")));
  EXPECT_EQ(edt("data verify set", "2>&1").status, 0);
  // 64 bytes of latents in float32, 2 x 8 float16.
  EXPECT_THAT(
      edt("bench data set --seconds 0.01 --batch 4 --json --features text,text-length", "2>&1")
          .output,
      HasSubstr("\"sample_bytes\": 96,"));
  EXPECT_EQ(edt("data repack set more", "2>&1").status, 0);
  EXPECT_EQ(data::Dataset(path("more")).caption(7), "caption 7");
  EXPECT_THAT(line("data repack set third " + texts_), HasSubstr("has texts already"));
  import(given_);
  EXPECT_EQ(edt("data repack set third " + texts_, "2>&1").status, 0);
  EXPECT_EQ(data::Dataset(path("third")).text_of(0), std::vector<float>(16, 0.5f));
}

TEST_F(TextCli, OneLineForWhatDoesNotFit) {
  EXPECT_THAT(refused(given_ + "--text t.npy"), HasSubstr("t.npy: --null-text is needed"));
  for (const std::string option : {"--text-lengths n.npy", "--null-text null.npy",
                                   "--captions c.txt", "--text-key a", "--text-encoder a"}) {
    EXPECT_THAT(refused(given_ + option),
                HasSubstr(option.substr(0, option.find(' ')) + " has no effect without --text"));
  }
  write_npy(path("short.npy"), "<f4", {kSamples - 1, 8}, std::vector<float>(88, 0.5f));
  EXPECT_THAT(refused(given_ + "--text short.npy --null-text null.npy"),
              AllOf(HasSubstr("short.npy: 11 texts"), HasSubstr("x.npy has 12 samples")));
  EXPECT_THAT(refused(given_ + texts_ + "--captions y.npy"), HasSubstr("y.npy"));
}

TEST_F(TextCli, PicturesWithCaptions) {
  const std::string synth = "data synth --samples 20 --image-size 64 --out captioned ";
  EXPECT_THAT(line(synth + "--captions on --flipped on"),
              AllOf(HasSubstr("--captions"), HasSubstr("--flipped")));
  EXPECT_THAT(line(synth + "--captions on --classes 4"), HasSubstr("--classes has no effect"));
  EXPECT_THAT(line(synth + "--held-out a.h5"), HasSubstr("--held-out"));
  EXPECT_THAT(line(synth + "--captions on --held-out a.txt"), HasSubstr("--held-out"));
  EXPECT_FALSE(fs::exists(path("captioned")));
  EXPECT_EQ(edt(synth + "--captions on --held-out held.h5 --quiet", "2>&1").status, 0);
  EXPECT_THAT(edt("data info captioned", "2>&1").output,
              AllOf(HasSubstr("up to 5 tokens of 32 channels, encoder edt words 32"),
                    HasSubstr("disc, ring, square, triangle, cross")));
  EXPECT_EQ(edt("data verify captioned", "2>&1").status, 0);
  EXPECT_THAT(line(synth + "--seed 1 --captions on"), HasSubstr("--seed was 0, is now 1"));
  EXPECT_THAT(line(synth), HasSubstr("--captions was format 1, is now not given"));
}

}  // namespace
}  // namespace edt::test
