#include "parallel/comm/self/self_communicator.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "tests/support/message_of.h"

namespace edt {
namespace {

using ::testing::HasSubstr;

class SelfCommunicator : public ::testing::Test {
 protected:
  static std::string message_of(const std::function<void()>& call) {
    return test::message_of<CommunicationError>(call);
  }

  std::unique_ptr<Communicator> ranks_ = make_self_communicator();
  std::array<float, 4> values_{1, 2, 3, 4};
  Tensor tensor_ = view_of(std::span<float>(values_), {4});
};

TEST_F(SelfCommunicator, EveryCollectiveIsTheIdentity) {
  std::array<float, 4> received{};
  const Tensor to = view_of(std::span<float>(received), {4});
  ranks_->all_reduce(tensor_, Reduce::kSum, "values");
  ranks_->broadcast(tensor_, 0, "values");
  ranks_->all_gather(tensor_, to, "values");
  EXPECT_EQ(received, values_);
  received.fill(0);
  ranks_->reduce_scatter(tensor_, to, Reduce::kMax, "values");
  EXPECT_EQ(received, values_);
  EXPECT_THAT(ranks_->gather("abc", 0, "words"), ::testing::ElementsAre("abc"));
  EXPECT_EQ(ranks_->broadcast("abc", 0, "words"), "abc");
  EXPECT_EQ(ranks_->all_reduce_value(5.0, Reduce::kMin, "a number"), 5.0);
  EXPECT_TRUE(ranks_->any(true, "a flag"));
  EXPECT_FALSE(ranks_->any(false, "a flag"));
  EXPECT_EQ(ranks_->collectives(), 9u);
}

TEST_F(SelfCommunicator, SaysWhoItIs) {
  EXPECT_THAT(ranks_->name(), ::testing::StartsWith("rank 0 of 1 on "));
  EXPECT_EQ(ranks_->split(3, 0, "nodes")->size(), 1);
}

TEST_F(SelfCommunicator, RefusesWhatOtherImplementationsRefuse) {
  std::array<std::int32_t, 4> integers{};
  const Tensor other_type = view_of(std::span<std::int32_t>(integers), {4});
  const Tensor half = tensor_.slice(0, 2);
  EXPECT_THAT(message_of([&] { ranks_->broadcast(tensor_, 1, "weights"); }),
              HasSubstr("[broadcast] weights: root is 1, the ranks are 0..0"));
  EXPECT_THAT(message_of([&] { ranks_->send(tensor_, 0, "weights"); }), HasSubstr("to itself"));
  EXPECT_THAT(message_of([&] { ranks_->receive(tensor_, -1, "weights"); }),
              HasSubstr("source is -1"));
  EXPECT_THAT(message_of([&] { ranks_->all_gather(half, tensor_, "weights"); }),
              HasSubstr("4 elements are not 1 parts of 2"));
  EXPECT_THAT(message_of([&] { ranks_->all_gather(other_type, tensor_, "weights"); }),
              HasSubstr("int32 and float32 differ"));
  EXPECT_THAT(message_of([&] { ranks_->all_reduce(tensor_, Reduce::kOr, "flags"); }),
              HasSubstr("or needs int32, got float32"));
  EXPECT_THAT(message_of([&] {
                ranks_->all_reduce({nullptr, {2}}, Reduce::kSum, "none");
              }),
              HasSubstr("has no memory"));
  EXPECT_THAT(message_of([&] { ranks_->barrier(""); }), HasSubstr("no label"));
}

}  // namespace
}  // namespace edt
