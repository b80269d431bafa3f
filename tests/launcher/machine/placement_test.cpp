#include "launcher/machine/placement.h"

#include <gmock/gmock-matchers.h>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "parallel/comm/threads/thread_ranks.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

// A node of two sockets of four cores each, as such a processor numbers them.
const std::vector<MemoryDomain> kTwo{{{0, 2, 4, 6}, 64 * kGib}, {{1, 3, 5, 7}, 64 * kGib}};
const std::vector<MemoryDomain> kFour{
    {{0, 1}, kGib}, {{2, 3}, kGib}, {{4, 5}, kGib}, {{6, 7}, kGib}};
const CoreSet kAll{0, 1, 2, 3, 4, 5, 6, 7};

std::vector<CoreSet> shares(const std::vector<MemoryDomain>& domains, const CoreSet& cores,
                            int ranks) {
  std::vector<CoreSet> all;
  for (int rank = 0; rank < ranks; ++rank) {
    all.push_back(share_of_domains(domains, cores, ranks, rank).value_or(CoreSet()));
  }
  return all;
}

NodePlacement node_of(const std::vector<MemoryDomain>& domains, const std::vector<CoreSet>& ranks) {
  NodePlacement node{"node1", domains, static_cast<int>(kAll.size()), {}};
  for (const CoreSet& cores : ranks) {
    node.ranks.push_back({static_cast<int>(node.ranks.size()), cores, cores});
  }
  return node;
}

std::vector<std::string> texts(const NodePlacement& node) {
  std::vector<std::string> all;
  for (const Finding& finding : findings(std::vector{node})) {
    EXPECT_FALSE(finding.fails);
    all.push_back(finding.text);
  }
  return all;
}

TEST(Cores, AreWrittenAsRanges) {
  EXPECT_EQ(cores_text({}), "none");
  EXPECT_EQ(cores_text({3}), "3");
  EXPECT_EQ(cores_text({0, 1, 2, 3, 8, 10, 11}), "0-3,8,10-11");
}

TEST(Cores, AreReadAgain) {
  for (const CoreSet& cores :
       {CoreSet{}, CoreSet{3}, CoreSet{0, 1, 2, 3, 8, 10, 11}, CoreSet{1, 300}}) {
    EXPECT_EQ(parse_cores(cores_text(cores)), cores);
  }
}

// Binding one of several threads of a process would bind all.
TEST(Placement, RanksBindThemselvesWhereNobodyHasBoundThem) {
  std::vector<RankReport> reports;
  for (int rank = 0; rank < 4; ++rank) {
    RankReport report{.host = rank % 2 == 0 ? "a" : "b", .process = 100 + rank, .bound = kAll};
    reports.push_back(report);
  }
  const auto shares = [&] {
    std::vector<std::pair<int, int>> all;
    for (const NodeShare& share : shares_of(reports)) all.emplace_back(share.ranks, share.index);
    return all;
  };
  using Pairs = std::vector<std::pair<int, int>>;
  EXPECT_EQ(shares(), (Pairs{{2, 0}, {2, 0}, {2, 1}, {2, 1}})) << "in any order of hosts";
  reports[2].bound = {0};
  EXPECT_EQ(shares(), (Pairs{{0, 0}, {2, 0}, {0, 0}, {2, 1}})) << "the launcher has";
  reports[3].process = reports[1].process;
  EXPECT_EQ(shares(), (Pairs(4, {0, 0}))) << "threads of one process";
  reports[3].process = 103;
  reports[1].fixed_threads = true;
  EXPECT_EQ(shares(), (Pairs(4, {0, 0}))) << "OpenMP has";
}

TEST(Placement, ARankForEachMemoryDomain) {
  EXPECT_THAT(shares(kTwo, kAll, 2), ElementsAre(kTwo[0].cores, kTwo[1].cores));
  EXPECT_THAT(shares(kTwo, kAll, 4),
              ElementsAre(kTwo[0].cores, kTwo[0].cores, kTwo[1].cores, kTwo[1].cores));
  EXPECT_THAT(shares(kFour, kAll, 2), ElementsAre(CoreSet{0, 1, 2, 3}, CoreSet{4, 5, 6, 7}));
  // Of those that the job may run on.
  EXPECT_THAT(shares(kFour, {0, 1, 4, 5}, 2), ElementsAre(CoreSet{0, 1}, CoreSet{4, 5}));
}

TEST(Placement, IsLeftAsItIsWhereDomainsCannotBeSharedEvenly) {
  EXPECT_THAT(shares(kTwo, kAll, 1), ElementsAre(CoreSet{}));
  EXPECT_THAT(shares(kTwo, kAll, 3), ElementsAre(CoreSet{}, CoreSet{}, CoreSet{}));
  EXPECT_THAT(shares(kTwo, {0, 2, 4, 6}, 2), ElementsAre(CoreSet{}, CoreSet{})) << "one domain";
  EXPECT_THAT(shares(kTwo, {0, 2, 4, 1}, 2), ElementsAre(CoreSet{}, CoreSet{})) << "3 and 1";
  EXPECT_THAT(shares({}, kAll, 2), ElementsAre(CoreSet{}, CoreSet{})) << "hwloc could not tell";
}

TEST(Placement, WhatFitsIsNotMentioned) {
  EXPECT_THAT(texts(node_of(kTwo, {kTwo[0].cores, kTwo[1].cores})), ElementsAre());
  EXPECT_THAT(texts(node_of(kTwo, {{0, 2}, {4, 6}, {1, 3}, {5, 7}})), ElementsAre());
  EXPECT_THAT(texts(node_of({{kAll, kGib}}, {kAll})), ElementsAre());
  EXPECT_THAT(texts(node_of({}, {{}})), ElementsAre()) << "nothing is known";
}

TEST(Placement, RanksInSeveralDomainsAreNamed) {
  EXPECT_THAT(texts(node_of(kTwo, {kAll})),
              ElementsAre("1 rank on node1 runs in several of its 2 memory domains: one rank for "
                          "each domain would read its own memory (mpirun --map-by ppr:1:numa "
                          "--bind-to numa, or srun --ntasks-per-node=2)"));
  EXPECT_THAT(texts(node_of(kTwo, {kTwo[0].cores, kAll, kTwo[1].cores, kAll})),
              ElementsAre(HasSubstr("2 ranks on node1 run in several")));
}

// mpirun binds each of one or two ranks to a core unless it is told otherwise.
TEST(Placement, CoresThatNobodyUsesAreNamed) {
  EXPECT_THAT(texts(node_of(kTwo, {{0}, {1}})),
              ElementsAre(HasSubstr("6 of 8 cores of node1 are used by no rank, its 2 ranks run on "
                                    "0-1: mpirun --map-by ppr:1:numa")));
  EXPECT_THAT(texts(node_of({{kAll, kGib}}, {{0, 1, 2, 3, 4, 5, 6}})),
              ElementsAre(HasSubstr("1 of 8 cores of node1 is used by no rank, its 1 rank runs on "
                                    "0-6: mpirun --bind-to none")));
  NodePlacement threads = node_of(kTwo, {{0, 2, 4, 6}});
  threads.ranks[0].used = kAll;  // whose other hardware threads are left alone
  EXPECT_THAT(texts(threads), ElementsAre());
  NodePlacement shared = node_of(kTwo, {{0, 2}});
  shared.cores = 2;  // the others belong to other jobs
  EXPECT_THAT(texts(shared), ElementsAre());
}

TEST(Placement, RanksThatShareCoresAreNamed) {
  NodePlacement node = node_of({{{0, 1}, kGib}}, {{0, 1}, {0, 1}, {0, 1}});
  node.cores = 2;
  EXPECT_THAT(texts(node), ElementsAre("3 ranks on node1 share 2 cores: 0-1"));
  node.ranks.pop_back();
  EXPECT_THAT(texts(node), ElementsAre()) << "a core each";
  for (RankPlace& rank : node.ranks) rank.fixed_threads = true;
  EXPECT_THAT(texts(node),
              ElementsAre(HasSubstr("ranks 0 and 1 on node1 may both run on cores 0-1, "
                                    "where OMP_PROC_BIND")));
}

TEST(Placement, OfThisMachine) {
  const std::vector<MemoryDomain>& domains = memory_domains();
  ASSERT_FALSE(domains.empty());
  EXPECT_GT(domains.front().memory, 0u);
  EXPECT_FALSE(bound_cores().empty());
}

// Ranks that are threads share a process: what binds one of them would bind all.
TEST(Placement, ThreadsAsRanksAreNotBound) {
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  run_ranks(4, [](Communicator& world) {
    const auto nodes = place_ranks(world, Binding::kMemoryDomains);
    ASSERT_EQ(nodes.size(), world.is_root() ? 1u : 0u);
    if (!world.is_root()) return;
    EXPECT_EQ(nodes.front().ranks.size(), 4u);
    EXPECT_EQ(sharing_ranks(nodes), 4);
    EXPECT_EQ(to_json(nodes.front())["ranks"][3]["rank"], 3);
  });
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

}  // namespace
}  // namespace edt
