// Parts of a checkpoint: sampling passes over what only training uses, a run that begins may lack
// whole parts, and half a part is refused.
#include <gmock/gmock-matchers.h>

#include "fixture.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

const TensorPart kHead{"align.latent", true}, kText{"text", false};

class Parts : public ::testing::Test {
 protected:
  // A state of tensors "a" and "b" of the network and those given besides.
  struct State {
    explicit State(std::vector<LogicalTensor> besides, float value = 0) {
      state.tensors = {{"a", {3}}, {"b", {2}}};
      for (LogicalTensor& tensor : besides) state.tensors.push_back(std::move(tensor));
      std::int64_t offset = 0;
      for (const LogicalTensor& tensor : state.tensors) {
        state.fragments.push_back({state.fragments.size(), Region::of_whole(tensor.shape), offset});
        offset += tensor.shape.elements();
      }
      values.assign(static_cast<std::size_t>(offset), value);
      state.arrays = {{"master", values}};
    }
    std::vector<float> values;
    CheckpointState state;
  };

  void write(const std::vector<LogicalTensor>& besides) {
    write_checkpoint(store_, State(besides, 1).state, info_of_step(5), {});
  }
  Checkpoint checkpoint() const { return Checkpoint::open(store_.path_of(5)); }
  // What loading gives a state of zeros.
  std::vector<float> loaded(const std::vector<LogicalTensor>& besides, PartsRule rule) {
    State state(besides);
    checkpoint().load(state.state, rule);
    return state.values;
  }
  std::string refusal(const std::vector<LogicalTensor>& besides, PartsRule rule) {
    return message_of<CheckpointError>([&] { loaded(besides, rule); });
  }

  TempDir directory_;
  CheckpointStore store_{directory_.path() / "checkpoints"};
};

using Values = std::vector<float>;

TEST_F(Parts, AreStoredWithTheirUse) {
  write({{"head", {2}, kHead}, {"words", {1}, kText}});
  EXPECT_EQ(checkpoint().manifest().tensors,
            State({{"head", {2}, kHead}, {"words", {1}, kText}}).state.tensors);
  const std::string manifest = read_text(store_.path_of(5) / "manifest.json");
  EXPECT_THAT(manifest, HasSubstr("\"part\": \"align.latent\""));
  EXPECT_THAT(manifest, HasSubstr("\"use\": \"training\""));
  EXPECT_THAT(manifest, HasSubstr("\"version\": 1"));
}

// As it was: files of networks alone have neither key.
TEST_F(Parts, OfTheNetworkAreNotNamed) {
  write({});
  const std::string manifest = read_text(store_.path_of(5) / "manifest.json");
  EXPECT_EQ(manifest.find("\"part\""), std::string::npos);
  EXPECT_EQ(manifest.find("\"use\""), std::string::npos);
}

TEST_F(Parts, OfTrainingAreNotSampled) {
  write({{"head", {2}, kHead}});
  EXPECT_EQ(loaded({}, PartsRule::kNetwork), Values(5, 1));
  EXPECT_EQ(loaded({}, PartsRule::kBeginning), Values(5, 1));
  EXPECT_THAT(refusal({}, PartsRule::kEqual),
              HasSubstr("is of another model, which lacks head [2] of part align.latent"));
}

TEST_F(Parts, OfTheNetworkAreNeeded) {
  write({{"words", {1}, kText}});
  for (const PartsRule rule : {PartsRule::kEqual, PartsRule::kNetwork, PartsRule::kBeginning}) {
    EXPECT_THAT(refusal({}, rule), HasSubstr("lacks words [1] of part text"));
  }
}

TEST_F(Parts, MayLackWhereARunBegins) {
  write({});
  const std::vector<LogicalTensor> head{{"head.0", {2}, kHead}, {"head.1", {2}, kHead}};
  EXPECT_EQ(loaded(head, PartsRule::kBeginning), (Values{1, 1, 1, 1, 1, 0, 0, 0, 0}));
  for (const PartsRule rule : {PartsRule::kEqual, PartsRule::kNetwork}) {
    EXPECT_THAT(refusal(head, rule), HasSubstr("it lacks head.0 [2] of part align.latent"));
  }
}

TEST_F(Parts, LackAsAWholeOrNotAtAll) {
  const LogicalTensor first{"head.0", {2}, kHead}, second{"head.1", {2}, kHead};
  write({first});
  EXPECT_THAT(refusal({first, second}, PartsRule::kBeginning),
              HasSubstr("it lacks head.1 [2] of part align.latent"));
  EXPECT_THAT(refusal({second}, PartsRule::kBeginning),
              HasSubstr("it lacks head.1 [2] of part align.latent"));
  EXPECT_THAT(refusal({{"head.0", {3}, kHead}}, PartsRule::kBeginning),
              HasSubstr("head.0 is [2], the model has [3]"));
}

TEST_F(Parts, HaveNothingToSpare) {
  const LogicalTensor first{"head.0", {2}, kHead}, second{"head.1", {2}, kHead};
  write({first, second});
  EXPECT_THAT(refusal({first}, PartsRule::kBeginning),
              HasSubstr("which lacks head.1 [2] of part align.latent"));
}

TEST_F(Parts, OfAnUnknownUseAreRefused) {
  write({{"head", {2}, kHead}});
  std::string text = read_text(store_.path_of(5) / "manifest.json");
  text.replace(text.find("\"use\": \"training\""), 17, "\"use\": \"sampling\"");
  EXPECT_THAT(message_of<CheckpointError>([&] { parse_manifest(text, "manifest.json"); }),
              HasSubstr("tensors[2]: use: is \"sampling\" of part \"align.latent\", must be "
                        "\"training\" of a part"));
}

}  // namespace
}  // namespace edt::test
