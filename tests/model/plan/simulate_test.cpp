#include "model/plan/simulate.h"

#include <gmock/gmock-matchers.h>

#include <numeric>
#include <set>

#include "model/plan/search.h"
#include "parallel/comm/rank_groups.h"
#include "tests/model/plan/counting_transport.h"
#include "tests/model/plan/planned_steps.h"
#include "tests/support/message_of.h"

namespace edt {
namespace {

using test::small_step;

Cluster cluster_of(int nodes, int devices) {
  return {.name = "test",
          .nodes = nodes,
          .devices = devices,
          .memory = 1e12,
          .float32_rate = 1e11,
          .bf16_rate = 2e11,
          .memory_bandwidth = 1e11,
          .intra = {.latency = 1e-6, .bandwidth = 1e10, .reduce_bandwidth = 4e10},
          .inter = {.latency = 1e-5, .bandwidth = 1e9, .reduce_bandwidth = 4e10}};
}

StepTime simulated(const PlannedStep& step, const Cluster& cluster, bool overlap = true) {
  return simulate(dry_run(step).trace, {step.data_ranks, step.tensor_ranks, overlap}, cluster);
}

double sum(const StepTime& time) {
  return std::accumulate(time.spent.begin(), time.spent.end(), 0.0);
}

// Collectives on the wire against counted messages, over threads.
TEST(CollectiveRounds, AreThoseOfTheCommunicator) {
  for (const int ranks : {2, 3, 4, 5, 6, 8, 12}) {
    for (const std::int64_t elements : {480, 4800, 120000}) {
      std::array<std::atomic<std::int64_t>, 5> most{};
      test::run_counted(ranks, [&](Communicator& world, std::atomic<std::int64_t>& sent) {
        std::vector<float> buffer(static_cast<std::size_t>(elements));
        const Tensor whole = view_of(std::span(buffer), {elements});
        std::vector<std::int64_t> bounds;
        for (int r = 0; r <= ranks; ++r) bounds.push_back(elements * r / ranks);
        const auto count = [&](std::size_t i, auto call) {
          const std::int64_t before = sent;
          call();
          std::int64_t seen = most[i], mine = sent - before;
          while (mine > seen && !most[i].compare_exchange_weak(seen, mine)) {
          }
        };
        count(0, [&] { world.all_reduce(whole, Reduce::kSum, "a"); });
        count(1, [&] { world.reduce_scatter_parts(whole, bounds, Wire::kExact, "b"); });
        count(2, [&] { world.all_gather_parts(whole, bounds, "c"); });
        count(3, [&] { world.reduce_groups(whole, bounds, Wire::kExact, "d"); });
        const auto parts = group_parts(whole, bounds, world.rank());
        count(4, [&] { world.fold_groups(parts, {}, Wire::kExact, "e"); });
      });
      const auto bytes = static_cast<double>(elements) * 4;
      const auto planned = [&](CollectiveKind kind) { return wire_bytes(kind, ranks, bytes); };
      EXPECT_EQ(planned(CollectiveKind::kAllReduce), most[0]) << ranks << " " << elements;
      EXPECT_EQ(planned(CollectiveKind::kReduceScatter), most[1]) << ranks << " " << elements;
      EXPECT_EQ(planned(CollectiveKind::kAllGather), most[2]) << ranks << " " << elements;
      EXPECT_EQ(planned(CollectiveKind::kReduceScatter), bytes * (ranks - 1) / ranks);
      const RankGroups groups = RankGroups::of(ranks);
      EXPECT_EQ(planned(CollectiveKind::kReduceGroups), most[3]) << ranks << " " << elements;
      EXPECT_EQ(wire_bytes(CollectiveKind::kFoldGroups, ranks, bytes / groups.size), most[4])
          << ranks << " " << elements;
    }
  }
}

// 3 nodes of 4: groups are nodes, and what crosses is a part for each of two counterparts.
TEST(CollectiveSeconds, GroupsOfANodeMeetOnce) {
  const Cluster cluster = cluster_of(3, 4);
  const auto gather = [](const Placement& ranks) {
    return PlannedCollective{CollectiveKind::kAllGather, RankGroup::kData, ranks, 12e6};
  };
  EXPECT_DOUBLE_EQ(collective_seconds(gather({12, 1}), cluster),
                   1e-5 + 4 * 2e6 / 1e9 + 2 * 1e-6 + (3e6 + 6e6) / 1e10);
  const auto inside = [](const Placement& ranks) {
    return PlannedCollective{CollectiveKind::kReduceGroups, RankGroup::kData, ranks, 12e6};
  };
  EXPECT_DOUBLE_EQ(collective_seconds(inside({12, 1}), cluster),
                   2 * 1e-6 + (6e6 + 3e6) * (1 / 1e10 + 1 / 4e10));
}

// 6 ranks fill one node of 4 and half of another: two of the three groups share a node, and meet
// the third over the network.
TEST(CollectiveSeconds, GroupsOfANodeThatIsNotFullMeetOverTheNetwork) {
  const Cluster cluster = cluster_of(2, 4);
  const auto gather = [](const Placement& ranks) {
    return PlannedCollective{CollectiveKind::kAllGather, RankGroup::kData, ranks, 6e6};
  };
  EXPECT_DOUBLE_EQ(collective_seconds(gather({6, 1}), cluster),
                   1e-5 + 4 * 2e6 / 1e9 + 1e-6 + 3e6 / 1e10);
}

TEST(CollectiveSeconds, NearRoundsStayInTheNode) {
  const Cluster cluster = cluster_of(2, 4);
  const auto gather = [](const Placement& ranks) {
    return PlannedCollective{CollectiveKind::kAllGather, RankGroup::kData, ranks, 8e6};
  };
  // Distance 4 between nodes, where four ranks share one adapter; 2 and 1 within a node.
  EXPECT_DOUBLE_EQ(collective_seconds(gather({8, 1}), cluster),
                   1e-5 + 4 * 1e6 / 1e9 + 2 * 1e-6 + (2e6 + 4e6) / 1e10);
  EXPECT_LT(collective_seconds(gather({4, 1}), cluster),
            collective_seconds(gather({4, 2}), cluster))
      << "neighbours of a stride of 2 reach the other node";
  EXPECT_LT(collective_seconds(gather({3, 1}), cluster),
            collective_seconds(gather({3, 1, true}), cluster))
      << "the second group of 3 is in two nodes";
  Cluster more = cluster;
  more.adapters = 4;
  EXPECT_LT(collective_seconds(gather({8, 1}), more), collective_seconds(gather({8, 1}), cluster));
}

Trace trace_of(std::vector<Kernel> kernels, std::vector<PlannedCollective> collectives,
               std::vector<TraceEvent> events) {
  Trace trace;
  trace.kernels = std::move(kernels);
  trace.collectives = std::move(collectives);
  trace.events = std::move(events);
  return trace;
}

// One second of products, a reduction of 2 s handed over after it, one second more, then the wait.
Trace overlapping_trace() {
  using Type = TraceEvent::Type;
  const Kernel second{.name = "k", .key = "k", .kind = KernelClass::kMatrix, .flops = 6e10};
  const PlannedCollective reduction{
      CollectiveKind::kReduceScatter, RankGroup::kData, {.ranks = 2}, 4e10, Wire::kExact, true};
  return trace_of({second}, {reduction},
                  {{Type::kKernel, 0},
                   {Type::kTaskBegin, 0, 7},
                   {Type::kCollective, 0},
                   {Type::kTaskEnd, 0, 7},
                   {Type::kKernel, 0},
                   {Type::kWait, 0, 7}});
}

TEST(Simulation, TwoStreamsMeetWhereTheProgramWaits) {
  Cluster cluster = cluster_of(1, 2);
  cluster.intra = {.latency = 0, .bandwidth = 1e10};
  const StepTime hidden = simulate(overlapping_trace(), {2, 1, true}, cluster);
  EXPECT_DOUBLE_EQ(hidden.seconds, 3);
  EXPECT_DOUBLE_EQ(hidden.of(Spent::kMatrix), 2);
  EXPECT_DOUBLE_EQ(hidden.of(Spent::kGradients), 1);
  EXPECT_DOUBLE_EQ(hidden.communication, 2);
  const StepTime exposed = simulate(overlapping_trace(), {2, 1, false}, cluster);
  EXPECT_DOUBLE_EQ(exposed.seconds, 4);
  const StepTime beside = simulate(overlapping_trace(), {2, 2, true}, cluster);
  cluster.overlap_beside_tensor_ranks = false;
  EXPECT_DOUBLE_EQ(simulate(overlapping_trace(), {2, 2, true}, cluster).seconds,
                   beside.seconds + 1);
  cluster.overlap_compute = 0.5;  // both at half speed: one second is computed in two
  cluster.overlap_communication = 0.5;
  EXPECT_DOUBLE_EQ(simulate(overlapping_trace(), {2, 1, true}, cluster).seconds, 4);
}

// To wait for one of several is not to wait for those behind it, and these take their time later.
TEST(Simulation, WhatIsBehindATaskIsStillToCome) {
  using Type = TraceEvent::Type;
  const Kernel second{.name = "k", .key = "k", .kind = KernelClass::kMatrix, .flops = 6e10};
  const PlannedCollective reduction{
      CollectiveKind::kReduceScatter, RankGroup::kData, {.ranks = 2}, 4e10, Wire::kExact, true};
  std::vector<TraceEvent> events;
  for (const std::uint64_t task : {7, 8, 9}) {
    events.insert(events.end(),
                  {{Type::kTaskBegin, 0, task}, {Type::kCollective, 0}, {Type::kTaskEnd, 0, task}});
  }
  events.insert(events.end(), {{Type::kWait, 0, 7}, {Type::kKernel, 0}, {Type::kWait, 0, 9}});
  Cluster cluster = cluster_of(1, 2);
  cluster.intra = {.latency = 0, .bandwidth = 1e10};
  const StepTime time = simulate(trace_of({second}, {reduction}, events), {2, 1, true}, cluster);
  EXPECT_DOUBLE_EQ(time.communication, 6);
  EXPECT_DOUBLE_EQ(time.of(Spent::kGradients), 5);
  EXPECT_DOUBLE_EQ(time.seconds, 6) << "one second of three times two is hidden";
}

// Weights of the last step are waited for in this one.
TEST(Simulation, WhatAStepLeavesOverlapsTheNext) {
  using Type = TraceEvent::Type;
  const Kernel second{.name = "k", .key = "k", .kind = KernelClass::kMatrix, .flops = 6e10};
  const PlannedCollective gather{CollectiveKind::kAllGather, RankGroup::kData, {.ranks = 2}, 1e10};
  const Trace trace = trace_of({second}, {gather},
                               {{Type::kKernel, 0},
                                {Type::kWait, 0, 4},
                                {Type::kKernel, 0},
                                {Type::kTaskBegin, 0, 5},
                                {Type::kCollective, 0},
                                {Type::kTaskEnd, 0, 5}});
  Cluster cluster = cluster_of(1, 2);
  cluster.intra = {.latency = 0, .bandwidth = 1e10};
  EXPECT_DOUBLE_EQ(simulate(trace, {2, 1, true}, cluster).seconds, 2);
  cluster.intra.bandwidth = 2.5e9;  // two seconds, one of them behind the first product
  const StepTime time = simulate(trace, {2, 1, true}, cluster);
  EXPECT_DOUBLE_EQ(time.seconds, 3);
  EXPECT_DOUBLE_EQ(time.of(Spent::kWeights), 1);
}

class SimulatedSteps : public testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(SimulatedSteps, KeepTheirProperties) {
  const auto [data, tensor, stage] = GetParam();
  const PlannedStep step = small_step(data, tensor, static_cast<ZeroStage>(stage), 4);
  const Cluster cluster = cluster_of(2, 4);
  const StepTime time = simulated(step, cluster), serial = simulated(step, cluster, false);
  EXPECT_NEAR(sum(time), time.seconds, 1e-9 * time.seconds);
  EXPECT_NEAR(sum(serial), serial.seconds, 1e-9 * serial.seconds);
  EXPECT_LE(time.seconds, serial.seconds * (1 + 1e-12)) << "overlap at full speed cannot cost";

  Cluster faster = cluster;
  faster.intra.bandwidth *= 2;
  faster.inter.bandwidth *= 2;
  EXPECT_LE(simulated(step, faster).seconds, time.seconds * (1 + 1e-12));
  Cluster endless = cluster;
  endless.intra = endless.inter = {.latency = 0, .bandwidth = 1e30};
  const StepTime alone = simulated(step, endless);
  EXPECT_LT(alone.exposed(), 1e-9 * alone.seconds);
  EXPECT_GE(time.seconds, alone.seconds);
  Cluster stronger = cluster;
  stronger.float32_rate *= 2;
  stronger.memory_bandwidth *= 2;
  EXPECT_LT(simulated(step, stronger).seconds, time.seconds);
  Cluster disturbed = cluster;
  disturbed.overlap_compute = 0.7;
  EXPECT_GE(simulated(step, disturbed).seconds, time.seconds * (1 - 1e-12));
}

INSTANTIATE_TEST_SUITE_P(Meshes, SimulatedSteps,
                         testing::Combine(testing::Values(1, 2, 3, 4, 6), testing::Values(1, 2),
                                          testing::Values(0, 1, 2, 3)));

// Four ranks on two devices of a node: each turn lasts twice as long, on the wire as well.
TEST(SharedDevices, TakeTurns) {
  Cluster cluster = cluster_of(1, 2);
  cluster.launch = 1e-5;
  cluster.intra = {.bytes = {1, 1e9}, .exchange_seconds = {1e-5, 2}, .reduce_seconds = {1e-5, 3}};
  cluster.measured.seconds_per_byte["optimizer"] = 1e-10;
  const Cluster shared = shared_devices(cluster, 2);
  EXPECT_EQ(shared.ranks(), 4);
  EXPECT_DOUBLE_EQ(shared.memory, cluster.memory / 2);
  const PlannedStep step = small_step(2, 2, ZeroStage::kGradients, 2);
  const StepTime alone = simulated(step, [&] {
    Cluster four = cluster;
    four.devices = 4;
    return four;
  }());
  EXPECT_NEAR(simulated(step, shared).seconds, 2 * alone.seconds, 1e-9 * alone.seconds);
  cluster.intra = {};
  EXPECT_THROW((void)shared_devices(cluster, 2), UsageError);
}

TEST(Link, FollowsItsMeasurements) {
  const Link link{
      .bytes = {100, 200, 400}, .exchange_seconds = {1, 2, 6}, .reduce_seconds = {2, 3, 7}};
  EXPECT_DOUBLE_EQ(link.round_seconds(10, false), 1) << "latency";
  EXPECT_DOUBLE_EQ(link.round_seconds(150, false), 1.5);
  EXPECT_DOUBLE_EQ(link.round_seconds(300, true), 5);
  EXPECT_DOUBLE_EQ(link.round_seconds(800, false), 12) << "the last rate";
}

TEST(Search, FindsTheFastestThatFits) {
  Cluster cluster = cluster_of(1, 4);
  const PlannedStep step = small_step(4, 1, ZeroStage::kNone, 2);
  const SearchResult all = search(step, 4, {}, cluster);
  EXPECT_TRUE(all.too_large.empty());
  ASSERT_GT(all.fitting.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(all.fitting, {}, [](auto& p) { return p.time.seconds; }));
  for (const Prediction& p : all.fitting) EXPECT_EQ(p.step.ranks(), 4);
  double least = 1e30;
  for (const Prediction& p : all.fitting) least = std::min(least, p.memory_bytes);
  cluster.memory = least;
  const SearchResult tight = search(step, 4, {}, cluster);
  ASSERT_FALSE(tight.fitting.empty());
  EXPECT_EQ(tight.fitting.front().memory_bytes, least);
  EXPECT_EQ(tight.fitting.size() + tight.too_large.size(), all.fitting.size());
  EXPECT_THAT(explain(all), testing::Each(testing::HasSubstr(", not ")));
}

TEST(Search, SizesOfMicroBatchesFollowFromTheBatch) {
  PlannedStep step = small_step(4, 1);
  step.engine.batch = 48;
  step.engine.micro_batch = 5;  // of another batch
  std::set<std::int64_t> sizes;
  for (const PlannedStep& legal : legal_steps(step, 4, {.tensor_ranks = 1})) {
    sizes.insert(legal.engine.micro_batch);
  }
  EXPECT_EQ(sizes, (std::set<std::int64_t>{3, 6, 12})) << "a power of two of them, 4 ranks";
  sizes.clear();
  for (const PlannedStep& legal : legal_steps(step, 6, {.tensor_ranks = 1})) {
    sizes.insert(legal.engine.micro_batch);
  }
  EXPECT_EQ(sizes, (std::set<std::int64_t>{1, 2, 4, 8})) << "3 x 2^g of them, 6 ranks";
}

// The largest groups that are within a node, of data ranks alone, and what is asked for.
TEST(Search, SharesTheStateWithinNodes) {
  PlannedStep step = small_step(4, 1);
  step.engine.batch = 48;
  const auto sizes = [&](int ranks, SearchSpace space) {
    std::set<std::pair<int, int>> found;  // of stage and size
    space.micro_batch = 1;
    space.recompute = Recompute::kNone;
    for (const PlannedStep& legal : legal_steps(step, ranks, space)) {
      found.insert({static_cast<int>(legal.engine.zero.stage), legal.engine.zero.shard_ranks});
    }
    return found;
  };
  using Found = std::set<std::pair<int, int>>;
  EXPECT_EQ(sizes(16, {.tensor_ranks = 1, .node_ranks = 8}),
            (Found{{0, 0}, {1, 0}, {1, 8}, {2, 0}, {2, 8}, {3, 0}, {3, 8}}));
  EXPECT_EQ(sizes(16, {.tensor_ranks = 2, .stage = ZeroStage::kWeights, .node_ranks = 8}),
            (Found{{3, 0}, {3, 4}}));
  EXPECT_EQ(sizes(8, {.tensor_ranks = 1, .stage = ZeroStage::kWeights, .node_ranks = 8}),
            (Found{{3, 0}}));
  EXPECT_EQ(sizes(12, {.tensor_ranks = 1, .stage = ZeroStage::kWeights, .node_ranks = 6}),
            (Found{{3, 0}, {3, 2}}));
  EXPECT_EQ(sizes(16, {.tensor_ranks = 1, .stage = ZeroStage::kWeights, .shard_ranks = 4}),
            (Found{{3, 4}}));
  EXPECT_THROW(sizes(16, {.stage = ZeroStage::kWeights, .shard_ranks = 3}), UsageError);
}

// 2 nodes of 4, two micro-batches of a rank: with groups of a node replicas exchange half of what
// they keep, twice, once a step; without, gradients and weights of each micro-batch travel.
TEST(Plan, WhatLeavesANode) {
  const auto run = [&](int shard_ranks) {
    PlannedStep step = small_step(8, 1, ZeroStage::kWeights);
    step.engine.zero.shard_ranks = shard_ranks;
    return dry_run(step);
  };
  const auto between_nodes = [](const DryRun& planned) {
    double bytes = 0;
    for (const TraceEvent& event : planned.trace.events) {
      if (event.type != TraceEvent::Type::kCollective) continue;
      const PlannedCollective& one = planned.trace.collectives[event.index];
      if (!one.is_gradient && one.kind == CollectiveKind::kAllReduce) continue;  // losses, norms
      for (const Round& round :
           collective_rounds(one.kind, one.placement.ranks, one.bytes, one.wire)) {
        if (round.distance * one.placement.stride >= 4) bytes += round.bytes;
      }
    }
    return bytes;
  };
  const DryRun within = run(4);
  const auto kept = std::ranges::find(within.memory, "gradients", &MemoryUse::category);
  ASSERT_NE(kept, within.memory.end());
  EXPECT_DOUBLE_EQ(between_nodes(within), static_cast<double>(kept->bytes));
  EXPECT_GT(between_nodes(run(0)), 1.5 * between_nodes(within));
}

TEST(Search, WhereNothingFitsMicroBatchesGetSmaller) {
  Cluster cluster = cluster_of(1, 1);
  PlannedStep step = small_step();
  step.engine.batch = 64;
  const SearchSpace space{.recompute = Recompute::kFull, .most_micro_batches = 2};
  step.engine.micro_batch = 2;
  step.engine.recompute = Recompute::kFull;
  cluster.memory = static_cast<double>(dry_run_of_memory(step).bytes) + cluster.process_memory;
  const SearchResult found = search(step, 1, space, cluster);
  ASSERT_FALSE(found.fitting.empty());
  EXPECT_LE(found.fitting.front().step.engine.micro_batch, 4);
  EXPECT_EQ(found.too_large.size(), 2u) << "of 64 and 32 images";
  cluster.memory = 1;
  const SearchResult nothing = search(step, 1, space, cluster);
  EXPECT_TRUE(nothing.fitting.empty());
  EXPECT_LT(nothing.too_large.front().step.engine.micro_batch, 32);
}

// To keep gelu's result is faster where nothing was measured, and taken where it fits.
TEST(Search, KeepsGeluWhereThereIsRoom) {
  Cluster cluster = cluster_of(1, 1);
  PlannedStep step = small_step();
  SearchSpace space{.micro_batch = 2, .least = true};
  const SearchResult found = search(step, 1, space, cluster);
  ASSERT_GE(found.fitting.size(), 2u);
  const Prediction& least = found.fitting.front();
  EXPECT_EQ(least.step.engine.recompute, Recompute::kLeast);
  EXPECT_EQ(found.fitting[1].step.engine.recompute, Recompute::kNone);
  EXPECT_LT(least.time.seconds, found.fitting[1].time.seconds);
  EXPECT_GT(least.memory_bytes, found.fitting[1].memory_bytes);

  cluster.memory = found.fitting[1].memory_bytes;
  EXPECT_EQ(search(step, 1, space, cluster).fitting.front().step.engine.recompute,
            Recompute::kNone);
  space.least = false;  // some kernels were measured, those of kLeast were not
  cluster.memory = 1e12;
  for (const Prediction& one : search(step, 1, space, cluster).fitting) {
    EXPECT_NE(one.step.engine.recompute, Recompute::kLeast);
  }
}

TEST(Search, KeepsWhatIsFixedAndRefusesTheImpossible) {
  const PlannedStep step = small_step(4, 1, ZeroStage::kNone, 2);
  const SearchSpace space{.tensor_ranks = 2, .stage = ZeroStage::kWeights, .micro_batch = 2};
  for (const PlannedStep& legal : legal_steps(step, 4, space)) {
    EXPECT_EQ(legal.tensor_ranks, 2);
    EXPECT_EQ(legal.engine.zero.stage, ZeroStage::kWeights);
    EXPECT_EQ(legal.engine.micro_batch, 2);
  }
  const auto refusal = [&](int ranks) {
    return test::message_of<UsageError>([&] { legal_steps(step, ranks, {}); });
  };
  EXPECT_THAT(refusal(7), testing::HasSubstr("; a batch of 14 or 28 would do"));
}

}  // namespace
}  // namespace edt
