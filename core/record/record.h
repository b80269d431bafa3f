// What is recorded of a training step: every call, with hashes of what it read and wrote. Records
// of two runs that should agree are compared call by call (docs/diff.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/tensor/shape.h"

namespace edt {

enum class CallKind : std::uint8_t {
  kSamples,     // what the data set gave for a micro-batch
  kKernel,      // an op's kernel, in a micro-batch
  kCollective,  // of this rank, somewhere in the step
  kGradient,    // the sum over all micro-batches and ranks, as far as this rank has it
  kWeights,     // after the update, likewise
};

struct RecordedTensor {
  std::int64_t place = 0;  // among the operands of the call
  std::string name;        // of the parameter that it is or is the gradient of; empty: none
  Shape shape;
  DType dtype = DType::kFloat32;
  std::uint64_t hash = 0;
  std::int64_t begin = 0, end = 0;  // the elements that this rank has; mostly all
  std::int64_t at = -1;             // byte of the file of values; -1: they are not kept

  bool is_whole() const { return begin == 0 && end == shape.elements(); }
};

struct RecordedCall {
  CallKind kind = CallKind::kKernel;
  std::int64_t micro_batch = -1;  // of the global batch; -1: of the step
  std::string name;               // "linear_forward", "reduce_scatter"
  std::string of;                 // a parameter, or what a collective carries; may be empty
  std::string group;              // of a collective: its communicator
  std::int64_t count = 0;         // calls alike before it in the micro-batch, or step
  bool again = false;             // recomputed, in the backward pass
  std::string detail;             // of samples: their numbers in the data set
  std::vector<RecordedTensor> in, out;
};

// What a call is called in options and messages: "3/0/linear_forward/blocks.0.attn.qkv.weight/0".
std::string place_of(const RecordedCall& call, std::int64_t step);

// What a file of one step of one rank begins with.
struct RecordHeader {
  std::int64_t step = 0;
  int rank = 0, ranks = 1, tensor_ranks = 1;
  std::string device;         // the backend's name
  int threads = 1;            // of each rank
  std::string version;        // of the program
  std::string configuration;  // INI text
  std::string data;           // identity of the data set
};

// Steps first ... last of a run. "3", "3..5"; UsageError that names `option` for anything else.
struct RecordedSteps {
  std::int64_t first = 0, last = 0;
  bool contains(std::int64_t step) const { return first <= step && step <= last; }
};
RecordedSteps parse_recorded_steps(std::string_view text, std::string_view option);

}  // namespace edt
