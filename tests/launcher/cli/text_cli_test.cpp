// A model that reads captions, from the data set to pictures that are judged, as a shell has it.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "core/image/png.h"
#include "core/storage/hdf5.h"
#include "data/text_file.h"
#include "tests/support/edt_program.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CaptionCli : public CliRun {
 protected:
  static constexpr const char* kModel =
      " --model.preset SiT-S/2 --model.depths 1 --model.widths 16 --model.heads 2 "
      "--train.masked off --train.batch 8 --train.micro-batch 4 --run.checkpoint-every 0 "
      "--run.tensorboard off ";

  CaptionCli() {
    EXPECT_EQ(run("data synth " + set_ + " --captions=on --samples 32 --image-size 64 --held-out " +
                  prompts_)
                  .status,
              0);
  }
  CommandOutcome train(const std::string& options) const {
    return run("train --data.path " + set_ + kModel + options, "2>&1");
  }
  std::vector<float> latents(const std::string& options, const std::string& name) const {
    const std::string file = path_ + "/" + name;
    const CommandOutcome made =
        run("sample " + own_ + " --weights raw --steps 3 --latents " + file + " " + options);
    EXPECT_EQ(made.status, 0) << made.output;
    return h5::File::open(file).dataset("latents").read_all<float>(h5::Type::kFloat32);
  }

  const std::string set_ = path_ + "/captioned", prompts_ = path_ + "/held-out.h5",
                    own_ = path_ + "/text-run";
};

TEST_F(CaptionCli, TrainsSamplesAndIsJudged) {
  const CommandOutcome trained = train(
      "--model.text-form cross --model.classes 0 --train.steps 3 --run.sample-every 3 "
      "--run.sample-images 4 --run.sample-steps 2 --data.holdout 0.25 --run.holdout-every 3 "
      "--run.holdout-samples 8 --run.dir " +
      own_);
  ASSERT_EQ(trained.status, 0) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("of held-out samples"));
  const auto prompts = latents("--text " + prompts_ + " --images 6", "prompts.h5");
  EXPECT_EQ(prompts.size(), 6u * 4 * 8 * 8);
  const h5::File file = h5::File::open(path_ + "/prompts.h5");
  EXPECT_EQ(file.read_string("text"), prompts_);

  EXPECT_EQ(
      run("sample " + own_ + " --text " + prompts_ + " --steps 2 --npz " + path_ + "/p.npz").status,
      0);
  const CommandOutcome judged =
      run("evaluate captions " + path_ + "/p.npz --text " + prompts_ + " --json");
  EXPECT_EQ(judged.status, 0) << judged.output;
  EXPECT_THAT(judged.output, AllOf(HasSubstr("\"pictures\": "), HasSubstr("\"colour\": ")));
}

TEST_F(CaptionCli, ACaptionIsTheTextOfItsWords) {
  // Where the last layer and the texts' projections begin at zero, they say something after three
  // steps.
  ASSERT_EQ(train("--model.text-form cross --train.steps 4 --run.dir " + own_).status, 0);
  const auto words = latents("--caption 'small blue ring top left'", "words.h5");
  EXPECT_EQ(words, latents("--caption 'Small, blue: RING top left!'", "same.h5"));
  EXPECT_NE(words, latents("--caption 'small blue ring top right'", "other.h5"));
  EXPECT_NE(words, latents("--caption 'small blue ring top left' --cfg-scale 2", "guided.h5"));
  EXPECT_EQ(latents("--text set:31 --images 2", "last.h5").size(), 2u * 4 * 8 * 8);
}

TEST_F(CaptionCli, GoesOnFromARunWithoutTexts) {
  const std::string before = path_ + "/classes";
  ASSERT_EQ(train("--train.steps 2 --run.dir " + before).status, 0);
  const CommandOutcome on = train("--model.text-form cross --train.steps 2 --run.init-from " +
                                  before + " --run.dir " + own_);
  EXPECT_EQ(on.status, 0) << on.output;
}

// What is said in words and what the preset says are the same.
TEST_F(CaptionCli, GoesOnWithDefaultsThatAreGiven) {
  const std::string own = "--model.text-form cross --model.classes 0 --run.dir " + own_;
  ASSERT_EQ(train(own + " --train.steps 1").status, 0);
  const CommandOutcome other = train(own + " --train.steps 2 --model.text-dropout 0.5");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.output, HasSubstr("model.text-dropout 0.1 -> 0.5"));
  const CommandOutcome on = train(own + " --train.steps 2 --model.text-dropout 0.1");
  EXPECT_EQ(on.status, 0) << on.output;
  EXPECT_THAT(on.output, testing::Not(HasSubstr("model.text-dropout was")));
}

TEST_F(CaptionCli, OneLineForWhatDoesNotFit) {
  EXPECT_THAT(refusal("train --data.path " + set_ + kModel +
                      "--model.text-form cross --model.classes 0 --model.label-dropout 0.2 "
                      "--run.dir " +
                      own_),
              HasSubstr("model.label-dropout is 0.2, and SiT-S/2 reads no classes"));
  EXPECT_THAT(
      refusal("train --data.path " + data_ + kModel + "--model.text-form cross --run.dir " + own_),
      HasSubstr("SiT-S/2 is to read texts (model.text-form), and the data set has none"));
  EXPECT_THAT(
      refusal("train --data.path " + set_ + kModel + "--model.text-tokens 4 --run.dir " + own_),
      HasSubstr("model.text-tokens is given, and SiT-S/2 reads no texts"));
  EXPECT_THAT(refusal("train --data.path " + set_ + kModel +
                      "--model.text-form cross --model.text-tokens 2 --run.dir " + own_),
              AllOf(HasSubstr("5"), HasSubstr("2")));
  EXPECT_THAT(refusal("sample " + run_ + " --caption ring --out " + path_ + "/a.png"),
              HasSubstr("--caption 'ring': "));
  ASSERT_EQ(train("--model.text-form pooled --train.steps 1 --run.dir " + own_).status, 0);
  const std::string sample = "sample " + own_ + " --steps 2 --out " + path_ + "/a.png ";
  EXPECT_THAT(refusal(sample + "--images 2"), HasSubstr("--text or --caption says what to show"));
  EXPECT_THAT(refusal(sample + "--caption ring --text set:0"),
              HasSubstr("--text set:0 and --caption 'ring' are both given"));
  EXPECT_THAT(refusal(sample + "--text set:32"), HasSubstr("has samples 0 to 31"));
  EXPECT_THAT(refusal(sample + "--text set:x"),
              HasSubstr("a sample of the data set is set:NUMBER"));
  EXPECT_THAT(refusal(sample + "--text " + data_ + "/none.h5"), HasSubstr("none.h5"));
  EXPECT_THAT(refusal(sample + "--caption 'ring ring ring ring ring top left'"),
              AllOf(HasSubstr("up to 7 tokens with 32 channels"), HasSubstr("reads 5 tokens")));
  EXPECT_THAT(refusal(sample + "--caption 'small oragne disc lfet'"),
              AllOf(HasSubstr("do not have 'oragne', 'lfet'; they have small, large, orange")));
  EXPECT_THAT(refusal(sample + "--caption '!!!'"), HasSubstr("--caption '!!!' has no words"));
  EXPECT_THAT(refusal(sample + "--caption \"$(printf '\\377\\376')\""),
              HasSubstr("--caption is not UTF-8"));
  EXPECT_THAT(refusal(sample + "--caption ring --per-class 2"),
              HasSubstr("--images says how many"));
  EXPECT_THAT(refusal("sample " + own_ + " --text " + prompts_ + " --latents " + prompts_),
              AllOf(HasSubstr("would be replaced, and is read"), HasSubstr(prompts_)));
  EXPECT_THAT(refusal("bench samplers " + own_), HasSubstr("reads texts, and"));
  EXPECT_THAT(refusal("memory " + own_), HasSubstr("reads texts, and edt memory has none to give"));
}

// Of a data set that is there: the option is named, with both values.
TEST_F(CaptionCli, SizesOfTextsAreNamedByTheirOptions) {
  const std::string cross =
      "train --data.path " + set_ + kModel + "--run.dir " + own_ + " --model.text-form cross ";
  EXPECT_THAT(refusal(cross + "--model.text-tokens 4"),
              HasSubstr("model.text-tokens is 4, and the data set has texts of up to 5 tokens"));
  EXPECT_THAT(refusal(cross + "--model.text-channels 16"),
              HasSubstr("model.text-channels is 16, and the data set has 32 numbers"));
  EXPECT_THAT(refusal("train --data.path " + data_ +
                      " --model E-MMDiT --train.masked off --run.dir " + own_),
              AllOf(HasSubstr("E-MMDiT reads texts, and the data set has none"),
                    testing::Not(HasSubstr("model.text-form"))));
  EXPECT_FALSE(std::filesystem::exists(own_));
}

// A run that is refused before it begins leaves nothing, wherever it was to be.
TEST_F(CaptionCli, WeightsThatDoNotFitLeaveNoRun) {
  ASSERT_EQ(train("--model.text-form cross --train.steps 1 --run.dir " + own_).status, 0);
  const std::string next = path_ + "/of/others/next";
  const std::string pooled = "train --data.path " + set_ + kModel +
                             "--model.text-form pooled --train.steps 1 --run.init-from ";
  EXPECT_THAT(refusal(pooled + own_ + " --run.dir " + next), HasSubstr("text_embedder.pooled"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/of"));
  EXPECT_THAT(refusal(pooled + path_ + "/none --run.dir " + next), HasSubstr("none"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/of"));
  write("there/notes.txt", "mine");
  EXPECT_THAT(refusal(pooled + own_ + " --run.dir " + path_ + "/there"),
              HasSubstr("text_embedder.pooled"));
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/there")) {
    left.push_back(entry.path().filename());
  }
  EXPECT_EQ(left, std::vector<std::string>{"notes.txt"});
}

// A file of prompts of one token by that encoder, `text` everywhere; its null text is that of the
// set, or `null` everywhere.
class PromptsCli : public CaptionCli {
 protected:
  std::string prompts(const std::string& name, std::optional<float> null,
                      const std::string& encoder, float text = 1, std::int64_t texts = 2) const {
    const std::string path = path_ + "/" + name;
    std::vector<float> null_text = data::TextFile(prompts_).null_text();
    if (null) std::ranges::fill(null_text, *null);
    h5::File file = h5::File::create(path);
    const auto add = [&](const char* array, const std::vector<float>& values) {
      file.create_dataset(array, h5::Type::kFloat16, {values.size() / 32, 32})
          .write(h5::Type::kFloat32, values.data());
    };
    add("text", std::vector<float>(static_cast<std::size_t>(32 * texts), text));
    add("null_text", null_text);
    std::vector<std::int64_t> begin(static_cast<std::size_t>(texts + 1));
    std::iota(begin.begin(), begin.end(), 0);
    file.create_dataset("text_begin", h5::Type::kInt64, {begin.size()})
        .write(h5::Type::kInt64, begin.data());
    if (!encoder.empty()) file.write_attribute("text_encoder", encoder);
    return path;
  }
  // A set of pictures with texts of one token, whose null text is `null` everywhere.
  std::string set_beside(const std::string& name, float null) const {
    const std::string pictures = path_ + "/pictures-" + name, set = path_ + "/set-" + name;
    EXPECT_EQ(run("data synth --samples 8 --image-size 64 --out " + pictures).status, 0);
    EXPECT_EQ(run("data repack " + pictures + ' ' + set + " --text " +
                  prompts(name + ".h5", null, kWords, 1, 8))
                  .status,
              0);
    return set;
  }
  std::string run_beside(const std::string& name, float null) const {
    const std::string trained = path_ + "/run-" + name;
    EXPECT_EQ(run("train --data.path " + set_beside(name, null) + kModel +
                  "--model.text-form cross --model.classes 0 " +
                  "--data.flip off --train.steps 1 --run.dir " + trained)
                  .status,
              0);
    return trained;
  }
  // Of a run, as a file that names no data set, so nothing says what their null text was.
  std::string weights_of(const std::string& trained, int tokens) const {
    const std::string file = trained + ".safetensors", imported = trained + "-imported";
    EXPECT_EQ(run("ckpt export " + trained + ' ' + file).status, 0);
    const CommandOutcome taken =
        run("ckpt import " + file + ' ' + imported +
                " --model SiT-S/2 --model.depths 1 --model.widths 16 --model.heads 2 "
                "--model.image-size 64 --model.classes 0 --model.text-form cross "
                "--model.text-channels 32 --model.text-tokens " +
                std::to_string(tokens),
            "2>&1");
    EXPECT_EQ(taken.status, 0) << taken.output;
    return imported;
  }
  static constexpr const char* kWords = "edt words 32";
  static constexpr const char* kNotKnown = "does not say beside which null text it was trained";
};

TEST_F(PromptsCli, OfAnotherNullTextOrEncoderAreNotTaken) {
  ASSERT_EQ(train("--model.text-form cross --train.steps 1 --run.dir " + own_).status, 0);
  const std::string sample = "sample " + own_ + " --steps 2 --out " + path_ + "/a.png --text ";
  EXPECT_THAT(refusal(sample + prompts("null.h5", 2.F, kWords)),
              AllOf(HasSubstr("null.h5: its null text has checksum "), HasSubstr(own_)));
  EXPECT_THAT(refusal(sample + prompts("other.h5", 2.F, "clip")),
              HasSubstr("texts of the encoder 'clip', the model was trained with 'edt words 32'"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/a.png"));
  const std::string no_name = prompts("unnamed.h5", std::nullopt, "");
  const CommandOutcome unnamed = run(sample + no_name, "2>&1");
  EXPECT_EQ(unnamed.status, 0) << unnamed.output;
  EXPECT_THAT(unnamed.output, HasSubstr("unnamed.h5: text_encoder is not there"));
  EXPECT_THAT(run(sample + prompts_, "2>&1").output, testing::Not(HasSubstr("warning")));
}

TEST_F(PromptsCli, BesideAnUnknownNullTextAreTakenWithAWarning) {
  ASSERT_EQ(
      train("--model.text-form cross --model.classes 0 --train.steps 1 --run.dir " + own_).status,
      0);
  const std::string sample =
      "sample " + weights_of(own_, 5) + " --steps 2 --out " + path_ + "/a.png --text ";
  const CommandOutcome made = run(sample + prompts_, "2>&1");
  EXPECT_EQ(made.status, 0) << made.output;
  EXPECT_THAT(made.output, AllOf(HasSubstr("held-out.h5"), HasSubstr(kNotKnown)));
}

// A model that guides is fed the texts and the null text of the one it guides.
TEST_F(PromptsCli, AGuideOfAnotherNullTextIsRefused) {
  const std::string one = run_beside("one", 1), two = run_beside("two", 2);
  const std::string sample =
      "sample " + one + " --text set:0 --cfg-scale 2 --steps 2 --out " + path_ + "/a.png --guide ";
  EXPECT_THAT(refusal(sample + two),
              AllOf(HasSubstr("--guide " + two + ": its null text has checksum "), HasSubstr(one)));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/a.png"));
  const CommandOutcome same = run(sample + one, "2>&1");
  EXPECT_EQ(same.status, 0) << same.output;
  EXPECT_THAT(same.output, testing::Not(HasSubstr(kNotKnown)));
  const std::string weights = weights_of(two, 1);
  const CommandOutcome unknown = run(sample + weights, "2>&1");
  EXPECT_EQ(unknown.status, 0) << unknown.output;
  EXPECT_THAT(unknown.output,
              AllOf(HasSubstr("--guide " + weights + ": " + weights), HasSubstr(kNotKnown)));
}

TEST_F(PromptsCli, ASetOfAnotherNullTextJudgesNoRun) {
  const std::string one = run_beside("one", 1);
  const std::string other = set_beside("two", 2);
  const std::string judge =
      "evaluate " + one + " --count 8 --steps 1 --reference " + path_ + "/set-one --data ";
  EXPECT_THAT(refusal(judge + other),
              AllOf(HasSubstr(other + ": its null text has checksum "), HasSubstr(one)));
  const CommandOutcome same = run(judge + path_ + "/set-one", "2>&1");
  EXPECT_EQ(same.status, 0) << same.output;
}

TEST_F(PromptsCli, ZerosAreRefused) {
  ASSERT_EQ(train("--model.text-form cross --train.steps 1 --run.dir " + own_).status, 0);
  const std::string sample = "sample " + own_ + " --steps 2 --out " + path_ + "/a.png --text ";
  EXPECT_THAT(refusal(sample + prompts("zero.h5", std::nullopt, kWords, 0)),
              AllOf(HasSubstr("zero.h5"), HasSubstr("never written")));
  EXPECT_THAT(refusal(sample + prompts("null.h5", 0.F, kWords)),
              AllOf(HasSubstr("null.h5"), HasSubstr("null_text"), HasSubstr("zero everywhere")));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/a.png"));
}

TEST_F(PromptsCli, AreLookedAtAsWhatTheyAre) {
  EXPECT_THAT(
      run("data info " + prompts_).output,
      AllOf(HasSubstr("file of texts"), HasSubstr("encoder edt words 32"), HasSubstr("null text")));
  const CommandOutcome verified = run("data verify " + prompts_);
  EXPECT_EQ(verified.status, 0) << verified.output;
  EXPECT_THAT(verified.output, HasSubstr("texts in 1 file are intact"));
  EXPECT_THAT(run("data verify --json " + prompts_).output, HasSubstr("\"texts\": "));
  const std::string damaged = prompts("zero.h5", std::nullopt, kWords, 0);
  EXPECT_THAT(refusal("data verify " + damaged, 1),
              AllOf(HasSubstr("1 of 1 file not intact"), HasSubstr("never written")));
  EXPECT_THAT(refusal("data info " + prompts_ + " --pictures " + path_ + "/a.png"),
              HasSubstr("holds texts alone"));
}

TEST_F(PromptsCli, PicturesThatCannotBeReadAreNamed) {
  std::filesystem::create_directory(path_ + "/pictures");
  write_png(path_ + "/pictures/a.png", Image(64, 64, 100));
  const std::string judge = "evaluate captions " + path_ + "/pictures --text " + prompts_;
  const CommandOutcome few = run(judge, "2>&1");
  EXPECT_EQ(few.status, 0) << few.output;
  EXPECT_THAT(few.output, HasSubstr("their numbers do not go together"));
  write_png(path_ + "/pictures/b.png", Image(16, 16, 100));
  EXPECT_THAT(refusal(judge), AllOf(HasSubstr("b.png of 16 x 16 pixels")));
}

// All texts are read before the first picture is made.
TEST_F(CaptionCli, ADamagedTextLeavesNoPictures) {
  ASSERT_EQ(train("--model.text-form pooled --train.steps 1 --run.dir " + own_).status, 0);
  const std::string prompts = path_ + "/damaged.h5", pictures = path_ + "/pictures";
  std::vector<float> text(4 * 32, 1.F);
  text.back() = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int64_t> begin{0, 1, 2, 3, 4};
  h5::File file = h5::File::create(prompts);
  file.create_dataset("text", h5::Type::kFloat16, {4, 32}).write(h5::Type::kFloat32, text.data());
  const std::vector<float> null = data::TextFile(prompts_).null_text();
  file.create_dataset("null_text", h5::Type::kFloat16, {null.size() / 32, 32})
      .write(h5::Type::kFloat32, null.data());
  file.create_dataset("text_begin", h5::Type::kInt64, {5}).write(h5::Type::kInt64, begin.data());
  file.close();
  const std::string sample = "sample " + own_ + " --text " + prompts + " --steps 1 --batch 1 ";
  EXPECT_THAT(refusal(sample + "--out-dir " + pictures),
              AllOf(HasSubstr(prompts), HasSubstr("NaN or infinity")));
  EXPECT_FALSE(std::filesystem::exists(pictures));
  EXPECT_EQ(run(sample + "--images 3 --out-dir " + pictures).status, 0);
}

}  // namespace
}  // namespace edt::test
