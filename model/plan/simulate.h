// A discrete-event simulation of a step: one stream computes, one communicates, as the thread of
// the communication queue does; each waits for the other where the program does. All ranks do the
// same at the same time, so one of them is followed, and a collective lasts as long as its rounds.
#pragma once

#include <array>
#include <string_view>

#include "model/plan/collective_rounds.h"

namespace edt {

// What the compute stream was busy with, or waited for.
enum class Spent {
  kMatrix,
  kAttention,
  kRows,
  kOptimizer,    // and other passes over flat buffers
  kTensorRanks,  // sums and gathers of activations
  kGradients,    // waiting for their reduction
  kWeights,      // waiting for their gathering
  kScalars,      // losses and norms
  kCount
};
std::string_view name_of(Spent spent);

struct StepTime {
  double seconds = 0;
  std::array<double, static_cast<std::size_t>(Spent::kCount)> spent{};  // sums to `seconds`
  double communication = 0;  // of the data ranks' collectives, hidden or not

  double of(Spent what) const { return spent[static_cast<std::size_t>(what)]; }
  // Communication that computing waited for.
  double exposed() const {
    return of(Spent::kTensorRanks) + of(Spent::kGradients) + of(Spent::kWeights) +
           of(Spent::kScalars);
  }
};

struct SimulatedMesh {
  int data_ranks = 1, tensor_ranks = 1;
  bool overlap = true;
};

// A step in the steady state: what a step leaves to do overlaps the next one.
StepTime simulate(const Trace& trace, const SimulatedMesh& mesh, const Cluster& cluster);

}  // namespace edt
