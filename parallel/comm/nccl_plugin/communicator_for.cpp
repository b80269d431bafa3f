// communicator_for() by libedt_nccl.so, which is loaded where several ranks have a GPU.
#include "core/base/log.h"
#include "core/plugin/plugin.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/nccl_plugin/functions.h"

namespace edt {
namespace {

const Plugin& plugin() {
  static const Plugin loaded = load_plugin("libedt_nccl.so");
  return loaded;
}

// The same on all ranks: one that lacks it keeps all from using it.
std::string absence_on(Communicator& ranks) {
  const std::string& own = plugin().absence;
  return ranks.first_of_all(own.empty() ? own : fmt::format("{}: {}", ranks.host(), own), "NCCL");
}

}  // namespace

std::string nccl_absence() { return plugin().absence; }

std::unique_ptr<Communicator> communicator_for(Device& device, Communicator& ranks,
                                               std::string_view label) {
  const auto same = [&] { return ranks.split(0, ranks.rank(), label); };
  if (device.in_host_memory()) return same();
  if (ranks.size() == 1) return make_staged_communicator(device, same());
  const std::string absence = absence_on(ranks);
  if (absence.empty()) {
    return static_cast<const NcclFunctions*>(plugin().functions)
        ->communicator(device, ranks, label);
  }
  const bool broken = plugin().installed && plugin().functions == nullptr;
  require<UsageError>(!ranks.any(broken, "NCCL"), "nccl", "{}", absence);
  if (ranks.is_root()) {
    log::warning("{}: tensors travel through host memory, which is slow: {}", label, absence);
  }
  return make_staged_communicator(device, same());
}

}  // namespace edt
