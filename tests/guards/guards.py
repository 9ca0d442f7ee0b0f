# SPDX-License-Identifier: MIT
"""All lists of guards together."""

import guard_list
import guard_list_boot
import guard_list_device
import guard_list_peer
import guard_list_service

MUTATIONS = (guard_list.MUTATIONS + guard_list_device.MUTATIONS + guard_list_peer.MUTATIONS +
             guard_list_boot.MUTATIONS + guard_list_service.MUTATIONS)
