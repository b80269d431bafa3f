// Any layout reads what any other layout wrote.
#include <gmock/gmock-matchers.h>

#include <fstream>
#include <numeric>

#include "fixture.h"
#include "parallel/comm/threads/thread_ranks.h"

namespace edt::test {
namespace {

using MakeRank = std::function<RankState(int rank)>;

struct Layout {
  std::string name;
  int ranks;
  MakeRank make;
};

Layout data_parallel(int ranks, std::int64_t bucket) {
  return {"data" + std::to_string(ranks) + "bucket" + std::to_string(bucket), ranks,
          [=](int rank) { return RankState(small_layout(), rank, ranks, bucket); }};
}

// Attention weights cut over tensor ranks: by rows in two chunks (as q and k would be), or by
// columns. The rest is on all of them. Data ranks split each of these flat layouts again.
Layout tensor_parallel(TensorCut cut, int tensor_ranks, int data_ranks) {
  const bool by_rows = cut.axis == TensorCut::Axis::kRows;
  return {(by_rows ? "rows" : "columns") + std::to_string(tensor_ranks) + "data" +
              std::to_string(data_ranks),
          tensor_ranks * data_ranks, [=](int rank) {
            std::vector<TensorShard> shards;
            const FlatLayout layout = small_layout();
            for (const FlatTensor& tensor : layout.tensors()) {
              const bool is_cut =
                  tensor.shape == Shape{20, 30} || (by_rows && tensor.shape == Shape{20});
              shards.push_back(
                  {tensor.shape, is_cut ? cut : TensorCut{}, rank % tensor_ranks, tensor_ranks});
            }
            return RankState(shards, rank / tensor_ranks, data_ranks);
          }};
}

std::vector<Layout> layouts() {
  return {data_parallel(1, 0),
          data_parallel(2, 700),
          data_parallel(3, 0),
          data_parallel(4, 1 << 20),
          tensor_parallel(TensorCut::columns(), 2, 1),
          tensor_parallel(TensorCut::columns(), 3, 2),
          tensor_parallel(TensorCut::rows(2), 2, 1),
          tensor_parallel(TensorCut::rows(2), 2, 4)};
}

class Reshard : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Reshard, EveryLayoutReadsThisOne) {
  const Layout from = layouts()[GetParam()];
  const TempDir directory;
  const CheckpointStore store(directory.path());
  std::vector<std::string> errors(static_cast<std::size_t>(from.ranks), "not written");
  run_ranks(from.ranks, [&](Communicator& ranks) {
    const int rank = ranks.rank();
    RankState state = from.make(rank);
    state.fill(9);
    CheckpointWriter writer(store, ranks.split(0, 0, "checkpoint"), state.state(), {});
    writer.save(info_of_step(9), extras_of_step(9));
    writer.wait();
    errors[static_cast<std::size_t>(rank)] = writer.take_reports().at(0).error;
  });
  ASSERT_THAT(errors, ::testing::Each(""));
  const Checkpoint checkpoint = Checkpoint::open(store.path_of(9));
  EXPECT_EQ(checkpoint.manifest().files.size(), static_cast<std::size_t>(from.ranks));
  checkpoint.verify();
  for (const Layout& to : layouts()) {
    for (int rank = 0; rank < to.ranks; ++rank) {
      RankState state = to.make(rank);
      checkpoint.load(state.state());
      EXPECT_EQ(state.count_wrong(9), 0) << from.name << " to " << to.name << " rank " << rank;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, Reshard, ::testing::Range<std::size_t>(0, 8),
                         [](const auto& test) { return layouts()[test.param].name; });

TEST(ReshardErrors, OneRankThatFailsFailsTheCheckpointOnAll) {
  const TempDir directory;
  const CheckpointStore store(directory.path());
  for (const char* stage : {"begin", "data", "verified", "manifest", "published"}) {
    std::vector<std::string> errors(4);
    run_ranks(4, [&](Communicator& ranks) {
      const int rank = ranks.rank();
      RankState state(small_layout(), rank, 4);
      CheckpointWriterOptions options;
      options.on_stage = [&](std::string_view reached) {
        if (rank == 2 && reached == stage) fail("test", "rank 2 stops at {}", stage);
      };
      CheckpointWriter writer(store, ranks.split(0, 0, "checkpoint"), state.state(), options);
      writer.save(info_of_step(1), {});
      writer.wait();
      errors[static_cast<std::size_t>(rank)] = writer.take_reports().at(0).error;
    });
    EXPECT_THAT(errors, ::testing::Each(std::string("[test] rank 2 stops at ") + stage));
    EXPECT_TRUE(fs::is_empty(store.directory())) << stage;
  }
}

// Ranks share the work of reading everything again: together they miss no file.
TEST(ReshardErrors, EachFileIsVerifiedByOneRank) {
  const TempDir directory;
  const CheckpointStore store(directory.path());
  run_ranks(3, [&](Communicator& ranks) {
    RankState state(small_layout(), ranks.rank(), 3);
    CheckpointWriter writer(store, ranks.split(0, 0, "checkpoint"), state.state(), {});
    writer.save(info_of_step(1), {});
    writer.wait();
  });
  const Checkpoint checkpoint = Checkpoint::open(store.path_of(1));
  for (int damaged = 0; damaged < 3; ++damaged) {
    const fs::path file = store.path_of(1) / fmt::format("rank-{:04}.h5", damaged);
    const auto flip = [&] {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(600);
      const char changed = static_cast<char>(stream.get() ^ 0x10);
      stream.seekp(600);
      stream.put(changed);
    };
    flip();
    int found = 0;
    for (int rank = 0; rank < 3; ++rank) {
      found += !message_of<CheckpointError>([&] { checkpoint.verify(rank, 3); }).empty();
    }
    EXPECT_EQ(found, 1) << file;
    flip();
  }
}

// A fragment that no rank writes is a bug in a layout: it must not become a checkpoint.
TEST(ReshardErrors, MissingAndDoubleFragmentsAreRefusedWhenWriting) {
  const TempDir directory;
  const CheckpointStore store(directory.path());
  RankState rank(small_layout(), 0, 1);
  CheckpointState state = rank.state();
  const auto error_of = [&] {
    CheckpointWriter writer(store, make_self_communicator(), state, {});
    writer.save(info_of_step(1), {});
    writer.wait();
    return writer.take_reports().at(0).error;
  };
  state.fragments[3].written = false;
  EXPECT_THAT(error_of(), ::testing::HasSubstr("blocks.0.attn.bias: no fragment holds element 0"));
  state.fragments[3] = rank.state().fragments[3];
  state.fragments.push_back({3, Region::of_whole(Shape{20}, 2, 5), 0});
  EXPECT_THAT(error_of(), ::testing::HasSubstr("blocks.0.attn.bias: two fragments hold element 2"));
  EXPECT_TRUE(store.entries().empty());
}

TEST(Regions, RunsFollowTheBox) {
  const Shape tensor{4, 6};
  const Region box{{1, 2}, {3, 2}, 1, 5};
  const auto runs = runs_of(box, tensor);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].logical, 9);
  EXPECT_EQ(runs[1].logical, 14);
  EXPECT_EQ(runs[1].length, 2);
  EXPECT_EQ(runs[2].logical, 20);
  EXPECT_EQ(runs[2].local, 3);
  EXPECT_EQ(to_string(box, tensor), "1-5@1:4,2:4");
  EXPECT_EQ(runs_of(Region::of_whole(tensor, 3, 20), tensor).size(), 1u);
  EXPECT_FALSE(fits({{2, 2}, {3, 2}, 0, 1}, tensor));
  EXPECT_FALSE(fits({{0, 0}, {3, 2}, 0, 7}, tensor));
  EXPECT_FALSE(fits({{0, 0}, {3, 2}, 2, 2}, tensor));
  EXPECT_FALSE(fits({{0}, {3}, 0, 1}, tensor));
}

TEST(Regions, ScalarsHaveOneElement) {
  const Shape scalar;
  EXPECT_TRUE(fits(Region::of_whole(scalar), scalar));
  EXPECT_EQ(runs_of(Region::of_whole(scalar), scalar).size(), 1u);
}

}  // namespace
}  // namespace edt::test
