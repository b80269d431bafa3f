// edt memory as people call it.
#include <fmt/format.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/storage/hdf5.h"
#include "data/dataset.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

class MemoryCli : public CliRun {
 protected:
  nlohmann::json report(const std::string& options) const {
    const Outcome outcome = run("memory " + run_ + " --json " + options);
    EXPECT_EQ(outcome.status, 0) << run("memory " + run_ + " --json " + options, "2>&1").output;
    return parse_json(outcome.output, "report");
  }

  // `count` samples of the data set as latents of a file, each moved by `noise` along one axis.
  void write_copies(const std::string& file, std::uint64_t count, float noise) const {
    const data::Dataset dataset(data_);
    const auto each = dataset.description().latent_elements();
    std::vector<data::SampleRef> refs;
    for (std::uint64_t i = 0; i < count; ++i) refs.push_back({.index = i});
    std::vector<float> values(count * each);
    data::ReadScratch scratch;
    dataset.read(refs, 0, scratch, values);
    for (std::uint64_t i = 0; i < count; ++i) values[i * each] += noise;
    h5::File out = h5::File::create(file);
    const data::Description& d = dataset.description();
    out.create_dataset("latents", h5::Type::kFloat32,
                       {count, static_cast<std::uint64_t>(d.channels),
                        static_cast<std::uint64_t>(d.height), static_cast<std::uint64_t>(d.width)})
        .write(h5::Type::kFloat32, values.data());
  }
};

TEST_F(MemoryCli, FiguresDoNotDependOnRanks) {
  const std::string options = "--threads 1 --levels 4 --draws 50 --images 70 --steps 3 --json";
  const Outcome one = run("memory " + run_ + " " + options);
  ASSERT_EQ(one.status, 0);
  for (const int ranks : {2, 3}) {
    const Outcome others =
        mpirun(fmt::format("-np {} {} memory {} {}", ranks, edt_program(), run_, options));
    ASSERT_EQ(others.status, 0) << others.errors;
    EXPECT_EQ(others.output, one.output) << ranks << " ranks";  // to the last bit
  }
  const auto json = parse_json(one.output, "report");
  EXPECT_EQ(json["levels"].size(), 4u);
  EXPECT_EQ(json["pictures"].size(), 70u);
  EXPECT_EQ(json["copies"], 0);
  for (const auto& level : json["levels"]) {
    EXPECT_GE(level["floor"].get<double>(), level["floor_of_class"].get<double>() - 1e-9) << level;
    EXPECT_GT(level["loss"].get<double>(), level["floor"].get<double>()) << level;
  }
}

TEST_F(MemoryCli, KnowsCopiesAndShowsThemBesideTheirSamples) {
  write_copies(path_ + "/copies.h5", 5, 0.01f);
  const auto copies = report("--samples " + path_ + "/copies.h5 --draws 8");
  EXPECT_EQ(copies["copies"], 5);
  EXPECT_THAT(copies["verdict"].get<std::string>(), HasSubstr("memorises"));
  for (const auto& picture : copies["pictures"]) {
    EXPECT_EQ(picture["nearest"][0]["sample"], picture["picture"]);
    EXPECT_EQ(picture["nearest"][0]["flipped"], false);
    EXPECT_LT(picture["ratio"].get<double>(), 0.1);
  }
  const std::string page = path_ + "/memory.html";
  const Outcome shown =
      run("memory " + run_ + " --samples " + path_ + "/copies.h5 --draws 8 --html " + page);
  ASSERT_EQ(shown.status, 0);
  EXPECT_THAT(shown.output, HasSubstr("5 of 5 pictures are at least three times as near"));
  const std::string html = read_text(page);
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(html, HasSubstr("Each row: a picture, the sample nearest to it, the second"));
}

// Nearest samples and the floor are of those that were trained on; the others are what the gap is
// measured by.
TEST_F(MemoryCli, TellsHeldOutSamplesFromOthers) {
  const std::string held = path_ + "/held";
  ASSERT_EQ(
      run("train --quiet " + tiny_training(data_, held) + "--steps 3 --data.holdout 0.3").status,
      0);
  write_copies(path_ + "/all.h5", 32, 0.01f);
  const Outcome outcome =
      run("memory " + held + " --json --draws 16 --samples " + path_ + "/all.h5");
  ASSERT_EQ(outcome.status, 0);
  const auto json = parse_json(outcome.output, "report");
  const auto out = json["held_out"].get<int>();
  EXPECT_GT(out, 2);
  EXPECT_EQ(json["samples"].get<int>() + out, 32);
  EXPECT_EQ(json["copies"].get<int>(), 32 - out);  // of held-out ones no copy can be known
  EXPECT_GT(json["held_out_loss"].get<double>(), 0);
  EXPECT_TRUE(json["gap"].is_number());
}

TEST_F(MemoryCli, RefusesWhatItCannotCompare) {
  EXPECT_THAT(refusal("memory " + run_ + " --samples x.h5 --images 3"),
              HasSubstr("--samples x.h5 and --images 3 are both given"));
  EXPECT_THAT(refusal("memory " + run_ + " --data " + path_ + "/none"),
              HasSubstr("/none, the data set of the run, is not there"));
  ASSERT_EQ(run("data synth --out " + path_ + "/large --samples 16 --image-size 128").status, 0);
  EXPECT_THAT(refusal("memory " + run_ + " --data " + path_ + "/large"), HasSubstr("16"));
  write_copies(path_ + "/copies.h5", 2, 0);
  EXPECT_THAT(refusal("memory " + path_ + "/nowhere"), HasSubstr("nowhere"));
}

// The whole way: the loss of a model that sees eight pictures again and again comes down to the
// floor, and stays above it. So small a model is slow to learn them.
TEST_F(MemoryCli, SeesAModelLearnByHeart) {
  const std::string few = path_ + "/few", heart = path_ + "/heart";
  write_tiny_set(few, 8);
  const auto train = [&](int steps) {
    const Outcome done =
        run(fmt::format("train --quiet --data {} --run.dir {} {} --train.batch 4 --steps {} "
                        "--optimizer.lr 0.003 --optimizer.schedule constant "
                        "--model.label-dropout 0 --train.masked off",
                        few, heart, kTinyModel, steps));
    ASSERT_EQ(done.status, 0);
  };
  const auto losses = [&] {
    const Outcome outcome = run("memory " + heart + " --weights raw --draws 64 --images 0 --json");
    EXPECT_EQ(outcome.status, 0);
    return parse_json(outcome.output, "report");
  };
  train(20);
  const auto before = losses();
  train(1500);
  const auto after = losses();
  const auto above = [](const nlohmann::json& report) {
    return report["loss"].get<double>() - report["floor_of_class"].get<double>();
  };
  EXPECT_LT(above(after), 0.75 * above(before)) << after.dump(1);
  for (const auto& level : after["levels"]) {
    EXPECT_GT(level["loss"].get<double>(), level["floor_of_class"].get<double>()) << level;
  }
}

}  // namespace
}  // namespace edt::test
