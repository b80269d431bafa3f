// What one rank does in a training step, in order: kernels, collectives, tasks handed to the
// communication queue, and what is waited for. Recorded from the code that trains.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/ops/backend.h"
#include "parallel/comm/communicator.h"

namespace edt {

enum class KernelClass {
  kMatrix,     // bound by the matrix rate where it is large
  kAttention,  // the same, at another share of it
  kRows,       // norms, gates, rearrangements: bound by memory
  kStream,     // flat buffers of any length: optimizer, sums, conversions
};

// A kernel at one set of shapes.
struct Kernel {
  std::string name;  // "linear_forward"
  std::string key;   // with shapes: "linear_forward f32[512,312] f32[936,312] ..."
  KernelClass kind = KernelClass::kRows;
  DType dtype = DType::kFloat32;  // that it multiplies in
  double flops = 0;               // that it executes
  double bytes = 0;               // read and written, each operand once
  double beside_bytes = 0;        // by kernels that no product hides
  std::vector<MatmulForm> gemms;  // of matrices; what is computed again is not among them
};

enum class CollectiveKind { kAllReduce, kReduceScatter, kAllGather, kReduceGroups, kFoldGroups };
enum class RankGroup { kData, kTensor };

// Where the ranks of a communicator are: neighbours are `stride` global ranks apart, and ranks fill
// one node after the other.
struct Placement {
  int ranks = 1;
  int stride = 1;
  bool is_repeated = false;  // others of the kind follow: the first being in one node does not do
  bool operator==(const Placement&) const = default;
};

struct PlannedCollective {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  RankGroup group = RankGroup::kData;
  Placement placement;
  double bytes = 0;  // of the whole buffer; of kFoldGroups: of the parts for all groups
  Wire wire = Wire::kExact;
  bool is_gradient = false;  // else weights, activations or scalars
  bool operator==(const PlannedCollective&) const = default;
};

// Memory of the recorded tensors while a kernel is run again.
using Relocation = std::function<void*(void*)>;
using Replay = std::function<void(Backend&, const Relocation&)>;

struct TraceEvent {
  enum class Type : std::uint8_t { kKernel, kCollective, kTaskBegin, kTaskEnd, kWait };
  Type type;
  std::uint32_t index = 0;   // of the kernel or collective
  std::uint64_t ticket = 0;  // of the task
};

struct Trace {
  std::vector<Kernel> kernels;
  std::vector<PlannedCollective> collectives;
  std::vector<TraceEvent> events;
  // One for each kernel event, in order, where they were asked for.
  std::vector<Replay> replays;
};

}  // namespace edt
