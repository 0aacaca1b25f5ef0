"""What the system tests share: daemons of the real binary, a cuttable link, a small MQTT client, waiting."""
