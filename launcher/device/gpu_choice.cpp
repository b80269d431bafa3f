#include "launcher/device/gpu_choice.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/cuda/cuda_backend.h"
#include "core/json/json_text.h"

namespace edt {
namespace {

// Place of `rank` among the ranks of its host that see the same GPUs, and how many those are.
std::pair<int, int> place_among_equals(const std::vector<RankGpus>& ranks, int rank) {
  const RankGpus& own = ranks[static_cast<std::size_t>(rank)];
  int place = 0, equals = 0;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    if (ranks[r].host != own.host || ranks[r].gpus != own.gpus) continue;
    if (static_cast<int>(r) < rank) ++place;
    ++equals;
  }
  return {place, equals};
}

const std::string& gpu_of(const std::vector<RankGpus>& ranks, int rank) {
  const RankGpus& own = ranks[static_cast<std::size_t>(rank)];
  const auto [place, equals] = place_among_equals(ranks, rank);
  return own.gpus[static_cast<std::size_t>(place) % own.gpus.size()];
}

void check_enough(const std::vector<RankGpus>& ranks, int rank, bool share) {
  const RankGpus& own = ranks[static_cast<std::size_t>(rank)];
  require<UsageError>(!own.gpus.empty(), "device", "rank {} on {} sees no GPU: {}", rank, own.host,
                      own.absence);
  const auto [place, equals] = place_among_equals(ranks, rank);
  require<UsageError>(share || equals <= static_cast<int>(own.gpus.size()), "device",
                      "{} ranks on {} see the same {} GPU{}: start one rank for each GPU, or let "
                      "ranks share one (share-gpus=on)",
                      equals, own.host, own.gpus.size(), own.gpus.size() == 1 ? "" : "s");
}

}  // namespace

int choose_gpu(const std::vector<RankGpus>& ranks, int rank, bool share) {
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) check_enough(ranks, r, share);
  const RankGpus& own = ranks[static_cast<std::size_t>(rank)];
  const std::string& chosen = gpu_of(ranks, rank);
  for (int r = 0; r < rank && !share; ++r) {
    require<UsageError>(
        ranks[static_cast<std::size_t>(r)].host != own.host || gpu_of(ranks, r) != chosen, "device",
        "ranks {} and {} on {} would both take GPU {}", r, rank, own.host, chosen);
  }
  return static_cast<int>(std::ranges::find(own.gpus, chosen) - own.gpus.begin());
}

int choose_gpu(Communicator& world, bool share) {
  const std::string own = dump_json(nlohmann::json{world.host(), cuda_device_places(),
                                                   cuda_device_count() > 0 ? "" : cuda_absence()});
  const auto texts = world.gather(own, 0, "GPUs of the ranks");
  const auto all =
      parse_json(world.broadcast(world.is_root() ? dump_json(nlohmann::json(texts)) : std::string(),
                                 0, "GPUs of the ranks"),
                 "GPUs of the ranks");
  std::vector<RankGpus> ranks;
  for (const auto& text : all) {
    const auto rank = parse_json(text.get<std::string>(), "GPUs of a rank");
    ranks.push_back({rank[0], rank[1].get<std::vector<std::string>>(), rank[2]});
  }
  return choose_gpu(ranks, world.rank(), share);
}

}  // namespace edt
