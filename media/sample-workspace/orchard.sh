#!/bin/sh
# How often must everybody walk, so that no basket stays in the orchard?
#
#   sh orchard.sh BASKETS HANDS
#
# Each hand carries one basket at a time.

baskets=$1
hands=$2

trips=$((baskets / hands))

echo "$trips"
