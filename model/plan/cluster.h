// A cluster as plans see it: devices of one kind, spread evenly over nodes. On a machine without
// accelerators a device is the share of the cores that one rank has.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/plan/trace.h"

namespace edt {

// Seconds of one round of a collective, in which each rank sends and receives the same number of
// bytes. From latency and bandwidth, or along a measured curve.
struct Link {
  double latency = 0;           // s
  double bandwidth = 0;         // bytes/s of one rank, in each direction
  double reduce_bandwidth = 0;  // bytes/s at which what arrives is added; 0: at no cost
  std::vector<double> bytes, exchange_seconds, reduce_seconds;  // measured; by size

  double round_seconds(double round_bytes, bool reduces) const;
};

// Times of kernels that were measured on the machine.
struct KernelTimes {
  std::map<std::string, double, std::less<>> seconds;           // by Kernel::key
  std::map<std::string, double, std::less<>> seconds_per_byte;  // by Kernel::name, for kStream
};

// Where checkpoints go; rates in bytes/s.
struct Storage {
  double bandwidth = 0;       // of all nodes together; 0: not known
  double node_bandwidth = 0;  // of one
  double operations = 0;      // on the files of one directory, 1/s
  double staging = 0;         // of one rank's state on its way to host memory

  bool is_known() const {
    return bandwidth > 0 && node_bandwidth > 0 && operations > 0 && staging > 0;
  }
};

struct Cluster {
  std::string name;
  int nodes = 1, devices = 1;              // devices of each node
  double memory = 0;                       // bytes of a device
  double process_memory = 0;               // bytes that every rank has beside what a plan counts
  double float32_rate = 0, bf16_rate = 0;  // FLOP/s of a device's matrix units
  double memory_bandwidth = 0;             // bytes/s of a device
  double matrix_efficiency = 0.6, attention_efficiency = 0.3, memory_efficiency = 0.8;
  double launch = 0;  // s between two kernels
  Link intra, inter;
  int adapters = 1;  // to the network, of each node
  // Speed of each stream while computing and communicating at once, over its speed alone.
  double overlap_compute = 1, overlap_communication = 1;
  bool overlap_beside_tensor_ranks = true;  // GPUs do not: model/training/engine.cpp
  Storage storage;
  double device_failure = 0;  // s between failures of one device that stop its job; 0: not known
  double restart = 0;         // s from a failure to the next step, but for reading the checkpoint
  KernelTimes measured;

  int ranks() const { return nodes * devices; }
  double matrix_rate(DType dtype) const {
    return dtype == DType::kBFloat16 ? bf16_rate : float32_rate;
  }
  // Measured where it was measured; else the slower of computing and moving its operands.
  double kernel_seconds(const Kernel& kernel) const;
  bool is_measured(const Kernel& kernel) const;
};

// The cluster as `ranks_per_device` ranks see it that take turns at each device, also at moving
// messages within a node: as many times more devices, each that much smaller and slower. Throws
// UsageError where the link within a node is unknown.
Cluster shared_devices(Cluster cluster, int ranks_per_device);

}  // namespace edt
