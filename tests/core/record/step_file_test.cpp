// The file of a recorded step: written and read again, cut off, damaged.
#include <gmock/gmock-matchers.h>

#include "core/base/error.h"
#include "core/record/content_hash.h"
#include "core/record/step_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;

class StepFile : public testing::Test {
 protected:
  StepFile() {
    StepFileWriter writer(directory_.path(), header_);
    RecordedCall call{.micro_batch = 2, .name = "linear_forward", .of = "a.weight", .count = 1};
    call.in.push_back({.place = 0, .shape = {2, 3}, .hash = 5, .end = 6});
    call.out.push_back({.place = 8,
                        .name = "gradient of a.weight",
                        .shape = {4},
                        .hash = ~std::uint64_t{0},
                        .begin = 2,
                        .end = 4});
    call.out.back().at = writer.keep_values(std::as_bytes(std::span(values_)));
    writer.finish({&call, 1});
  }

  std::string refusal() const {
    return test::message_of<DataError>([&] { read_step_file(path_); });
  }
  void change(const std::function<std::string(std::string)>& how) const {
    test::write_text(path_, how(test::read_text(path_)));
  }

  const test::TempDir directory_;
  const RecordHeader header_{.step = 7,
                             .rank = 3,
                             .ranks = 4,
                             .tensor_ranks = 2,
                             .device = "cpu",
                             .threads = 3,
                             .version = "0.2.0",
                             .configuration = "[train]\nbatch = 8\n",
                             .data = "{}"};
  const std::array<float, 2> values_{1.5f, -2.f};
  const std::filesystem::path path_ = step_file(directory_.path(), 7, 3);
};

TEST_F(StepFile, IsReadAsItWasWritten) {
  const RecordedFile file = read_step_file(path_);
  EXPECT_EQ(path_.filename(), "step-00000007.rank-3.jsonl");
  EXPECT_EQ(file.header.step, 7);
  EXPECT_EQ(file.header.rank, 3);
  EXPECT_EQ(file.header.ranks, 4);
  EXPECT_EQ(file.header.tensor_ranks, 2);
  EXPECT_EQ(file.header.device, "cpu");
  EXPECT_EQ(file.header.threads, 3);
  EXPECT_EQ(file.header.configuration, header_.configuration);
  ASSERT_EQ(file.calls.size(), 1u);
  const RecordedCall& call = file.calls[0];
  EXPECT_EQ(place_of(call, 7), "7/2/linear_forward/a.weight/1");
  ASSERT_EQ(call.in.size(), 1u);
  ASSERT_EQ(call.out.size(), 1u);
  EXPECT_TRUE(call.in[0].is_whole());
  EXPECT_EQ(call.in[0].shape, (Shape{2, 3}));
  const RecordedTensor& out = call.out[0];
  EXPECT_EQ(out.hash, ~std::uint64_t{0});
  EXPECT_EQ(out.name, "gradient of a.weight");
  EXPECT_EQ(out.begin, 2);
  EXPECT_EQ(out.end, 4);
  EXPECT_EQ(read_values(file, out), (std::vector<double>{1.5, -2}));
}

TEST_F(StepFile, CutOffIsRefused) {
  const std::string whole = test::read_text(path_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    test::write_text(path_, whole.substr(0, size));
    EXPECT_THAT(refusal(), HasSubstr(path_.string())) << size;
  }
  test::write_text(values_file(path_), "1234");
  test::write_text(path_, whole);
  const RecordedFile file = read_step_file(path_);
  EXPECT_THAT(test::message_of<DataError>([&] { read_values(file, file.calls[0].out[0]); }),
              HasSubstr(values_file(path_).string()));
}

TEST_F(StepFile, DamageIsNamed) {
  const auto replaced = [](const std::string& from, const std::string& to) {
    return [=](std::string text) { return text.replace(text.find(from), from.size(), to); };
  };
  const std::string whole = test::read_text(path_);
  const auto after = [&](const std::string& from, const std::string& to) {
    test::write_text(path_, whole);
    change(replaced(from, to));
    return refusal();
  };
  EXPECT_THAT(after("edt record", "edt notes"), HasSubstr("'edt notes', must be 'edt record'"));
  EXPECT_THAT(after("\"format_version\":1", "\"format_version\":9"), HasSubstr("version 9"));
  EXPECT_THAT(after("float32", "float33"), HasSubstr(":2: there is no 'float33'"));
  EXPECT_THAT(after("[2,3]", "[2,-3]"), HasSubstr(":2: a shape is [2,-3]"));
  EXPECT_THAT(after("[2,4]", "[2,5]"), HasSubstr("elements 2..5 of a tensor of 4"));
  EXPECT_THAT(after("\"place\":0", "\"plaze\":0"), HasSubstr(":2: "));
  EXPECT_THAT(after("\"calls\":1", "\"calls\":2"), HasSubstr("1 calls, its end says 2"));
}

TEST(RecordedStepsOption, IsARangeOfSteps) {
  EXPECT_EQ(parse_recorded_steps("3", "o").last, 3);
  EXPECT_EQ(parse_recorded_steps("3..5", "o").first, 3);
  EXPECT_FALSE(parse_recorded_steps("3..5", "o").contains(6));
  for (const char* wrong : {"", "0", "5..3", "3-5", "3..", "a", "3..5x"}) {
    EXPECT_THAT(test::message_of<UsageError>([&] { parse_recorded_steps(wrong, "run.x"); }),
                HasSubstr("run.x is '" + std::string(wrong) + "'"));
  }
}

}  // namespace
}  // namespace edt
