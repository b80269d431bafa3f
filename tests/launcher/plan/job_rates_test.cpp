#include "launcher/plan/job_rates.h"

#include <gmock/gmock-matchers.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/cpu/cpu_backend.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/model/plan/planned_steps.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A job whose nodes and links are all alike.
JobRates even(int nodes) {
  JobRates job;
  for (int i = 0; i < nodes; ++i) {
    job.nodes.push_back({"node" + std::to_string(i), {2 * i, 1e12}, {2 * i, 2e10}, {2 * i, 4e9}});
    for (int other = 0; other < i; ++other) job.links.push_back({other, i, 1e9});
  }
  return job;
}

LinkRate& link(JobRates& job, int first, int second) {
  for (LinkRate& one : job.links) {
    if (one.first == first && one.second == second) return one;
  }
  throw std::out_of_range("no such link");
}

std::vector<std::string> texts(const JobRates& job) {
  std::vector<std::string> all;
  for (const Finding& finding : findings(job)) {
    EXPECT_FALSE(finding.fails);
    all.push_back(finding.text);
  }
  return all;
}

TEST(JobRates, EachNodeMeetsEveryOtherOnce) {
  for (int nodes = 2; nodes <= 9; ++nodes) {
    std::set<std::pair<int, int>> met;
    const int rounds = nodes - 1 + nodes % 2;
    for (int round = 0; round < rounds; ++round) {
      for (int node = 0; node < nodes; ++node) {
        const int partner = partner_of(node, round, nodes);
        ASSERT_GE(partner, 0);
        ASSERT_LT(partner, nodes);
        EXPECT_EQ(partner_of(partner, round, nodes), node) << nodes << " nodes, round " << round;
        if (partner == node) continue;
        EXPECT_TRUE(met.emplace(node, partner).second);
      }
    }
    EXPECT_EQ(met.size(), static_cast<std::size_t>(nodes * (nodes - 1))) << nodes;
  }
}

TEST(JobRates, AlikeNothingIsNamed) {
  for (const int nodes : {0, 1, 2, 3, 8}) EXPECT_THAT(texts(even(nodes)), ElementsAre()) << nodes;
  JobRates job = even(4);  // by less than a fifth
  job.nodes[1].products.rate *= 0.9;
  link(job, 0, 2).rate *= 0.9;
  EXPECT_THAT(texts(job), ElementsAre());
}

TEST(JobRates, ASlowNodeIsNamedWithItsRank) {
  JobRates job = even(4);
  job.nodes[2].products = {5, 0.7e12};
  EXPECT_THAT(texts(job), ElementsAre("node2 is slow: its rank 5 multiplies matrices at 700 "
                                      "GFLOP/s, most nodes at 1.00 TFLOP/s"));
  job = even(2);  // of two the faster one is the measure
  job.nodes[0].memory.rate = 1e10;
  EXPECT_THAT(texts(job), ElementsAre(HasSubstr("node0 is slow: its rank 0 copies memory at")));
  job = even(3);
  job.nodes[1].exchange.rate = 1e9;
  EXPECT_THAT(texts(job), ElementsAre(HasSubstr("node1 is slow: its rank 2 exchanges with")));
}

TEST(JobRates, ASlowAdapterIsANodesAndASlowLinkIsNot) {
  for (const int nodes : {3, 4, 7}) {
    JobRates job = even(nodes);
    for (LinkRate& one : job.links) {
      if (one.first == 1 || one.second == 1) one.rate = 1e8;
    }
    EXPECT_THAT(texts(job), ElementsAre(HasSubstr("node1 is slow: it exchanges")));
    job = even(nodes);
    link(job, 0, 2).rate = 1e8;
    EXPECT_THAT(texts(job),
                ElementsAre(HasSubstr("the link between node0 and node2 is slow: 95.4 MiB/s")));
  }
}

TEST(JobRates, AreMeasuredOnEveryRank) {
  run_ranks(3, [](Communicator& world) {
    const auto backend = make_cpu_backend();
    const JobRates job = measure_job(test::small_step(), *backend, world);
    ASSERT_EQ(job.nodes.size(), world.is_root() ? 1u : 0u);
    if (!world.is_root()) return;
    EXPECT_GT(job.nodes.front().products.rate, 0);
    EXPECT_GT(job.nodes.front().memory.rate, 0);
    EXPECT_GT(job.nodes.front().exchange.rate, 0);
    EXPECT_THAT(job.links, ElementsAre());
    EXPECT_THAT(rates_text(job), HasSubstr(world.host()));
    EXPECT_EQ(to_json(job)["nodes"][0]["host"], world.host());
  });
}

}  // namespace
}  // namespace edt
