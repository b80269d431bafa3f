// The data x tensor mesh. Global rank = data rank * tensor ranks + tensor rank: the ranks of a
// tensor group, which exchange activations, are neighbours and share a node where they fit.
//
//   4 ranks, 2 tensor ranks:      tensor 0   tensor 1
//                       data 0     rank 0     rank 1     one model
//                       data 1     rank 2     rank 3     one model, other micro-batches
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "parallel/comm/communicator.h"

namespace edt {

struct MeshRequest {
  int ranks = 1;         // of the job
  int tensor_ranks = 1;  // that hold one model together
  std::int64_t micro_batches = 1;
  std::int64_t batch = 0;  // images in all of them, where another cut or batch is a way out
  std::string model;       // its name, for messages
  int shard_ranks = 0;     // data ranks that hold the state once; 0: all
  std::vector<int> tensor_degrees{1};  // numbers of tensor ranks that the model can be cut into

  int data_ranks() const { return ranks / tensor_ranks; }
};

// UsageError, in one line that says what would fit, when the ranks do not fill the mesh, the model
// cannot be cut that way, the data ranks do not divide the micro-batches, or they are no shard
// groups of that size (shard_groups.h). A mesh that passes keeps the promise of equal bits
// (sum_tree.h).
void check_mesh(const MeshRequest& request);

// One or two batches around `batch` that many micro-batch sizes share among the data ranks: 192,
// 384.
std::vector<std::int64_t> batches_near(std::int64_t batch, int data_ranks);

class Mesh {
 public:
  // All ranks of `world` call it; it must outlive the mesh. `tensor_ranks` divides its size.
  Mesh(Communicator& world, int tensor_ranks);

  Communicator& world() const { return world_; }
  // The ranks that hold the same part of the model and see other samples.
  Communicator& data() const { return *data_; }
  // The ranks that hold the other parts of this rank's model and see the same samples.
  Communicator& tensor() const { return *tensor_; }

  // "data 4 x tensor 2"
  std::string text() const;

 private:
  Communicator& world_;
  std::unique_ptr<Communicator> data_, tensor_;
};

}  // namespace edt
