// A communicator of any size that sends nothing and records every collective. What is split from
// it is all of it again, but for neighbours and their counterparts.
#pragma once

#include "model/plan/recorder.h"
#include "parallel/comm/communicator.h"

namespace edt {

class RecordingCommunicator final : public Communicator {
 public:
  RecordingCommunicator(Recorder& recorder, RankGroup group, int rank, const Placement& placement)
      : recorder_(recorder), group_(group), rank_(rank), placement_(placement) {}

  std::string_view backend() const override { return "plan"; }
  int rank() const override { return rank_; }
  int size() const override { return placement_.ranks; }
  const std::string& host() const override { return host_; }
  [[noreturn]] void abort(int status) override;

 private:
  void note(CollectiveKind kind, const Tensor& whole, const Collective& call,
            Wire wire = Wire::kExact) {
    note(kind, static_cast<double>(whole.bytes()), call, wire);
  }
  void note(CollectiveKind kind, double bytes, const Collective& call, Wire wire) {
    const bool is_gradient = call.label.starts_with("gradients of");
    if (size() == 1) return;
    recorder_.collective({kind, group_, placement_, bytes, wire, is_gradient});
  }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective&) override;
  std::unique_ptr<Communicator> do_neighbours(int count, const Collective&) override;
  std::unique_ptr<Communicator> do_counterparts(int count, const Collective&) override;
  void do_barrier(const Collective&) override {}
  void do_broadcast(const Tensor&, int, const Collective& call) override { unplanned(call); }
  void do_all_reduce(const Tensor& tensor, Reduce, const Collective& call) override {
    note(CollectiveKind::kAllReduce, tensor, call);
  }
  void do_all_gather(const Tensor&, const Tensor& to, const Collective& call) override {
    note(CollectiveKind::kAllGather, to, call);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor&, Reduce,
                         const Collective& call) override {
    note(CollectiveKind::kReduceScatter, from, call);
  }
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t>, Wire wire,
                               const Collective& call) override {
    note(CollectiveKind::kReduceScatter, whole, call, wire);
  }
  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t>, Wire wire,
                        const Collective& call) override {
    note(CollectiveKind::kReduceGroups, whole, call, wire);
  }
  void do_fold_groups(std::span<const Tensor>, const Tensor&, Wire wire,
                      const Collective& call) override {
    note(CollectiveKind::kFoldGroups, static_cast<double>(call.bytes), call, wire);
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t>,
                           const Collective& call) override {
    note(CollectiveKind::kAllGather, whole, call);
  }
  std::unique_ptr<SideChannel> do_side_channel(const Collective& call) override { unplanned(call); }
  void do_send(const Tensor&, int, const Collective& call) override { unplanned(call); }
  void do_receive(const Tensor&, int, const Collective& call) override { unplanned(call); }
  std::vector<std::string> do_gather(std::string_view, int, const Collective& call) override {
    unplanned(call);
  }
  std::string do_broadcast_bytes(std::string_view, int, const Collective& call) override {
    unplanned(call);
  }
  [[noreturn]] void unplanned(const Collective& call) const;

  Recorder& recorder_;
  RankGroup group_;
  int rank_;
  Placement placement_;
  std::string host_ = "plan";
};

}  // namespace edt
