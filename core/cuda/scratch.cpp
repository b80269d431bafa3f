#include "core/cuda/scratch.h"

#include <fmt/format.h>

#include "core/cuda/capturing.h"

namespace edt {
namespace {

std::string_view name_of(ScratchSlot slot) {
  switch (slot) {
    case ScratchSlot::kPartials:
      return "partial sums";
    case ScratchSlot::kActivated:
      return "activations of an MLP";
    case ScratchSlot::kHidden:
      return "the pre-activation of an MLP";
    case ScratchSlot::kBias:
      return "a bias gradient";
    case ScratchSlot::kDq:
      return "attention's dq";
    case ScratchSlot::kDtable:
      return "the gradient of a bias table";
    case ScratchSlot::kSums:
      return "sums in double precision";
    case ScratchSlot::kWorkspace:
      return "cuBLASLt";
    case ScratchSlot::kPatches:
      return "patches of pictures";
    case ScratchSlot::kMoments:
      return "statistics of norms";
    case ScratchSlot::kCount:
      break;
  }
  return "nothing";
}

}  // namespace

// Before the smaller block is given back: a capture would refuse that, and the block would be lost.
void CudaScratch::grow(ScratchSlot slot, Block& block, std::size_t count) {
  require_no_capture(fmt::format("scratch memory for {} grows from {} to {} bytes", name_of(slot),
                                 block.bytes(), count));
  ++generation_;
  block = {};  // first: both need not fit
  block = Block(memory_, count);
}

}  // namespace edt
