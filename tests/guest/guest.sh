#!/bin/sh
# The first process of the guest of `cargo xtask usbip-guest`: plugs the virtual HSM in and uses it as anybody would, with
# Debian's kernel, usbip, pcscd, libccid and OpenSC. Lines that begin with "guest:" are for the host; the last one says "ok".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

finish() {
    echo "guest: $1"
    echo o > /proc/sysrq-trigger
    sleep 60
}

step() {
    echo "guest: $(echo "$*" | cut -c 1-100)"
    "$@" || finish "failed"
}

# The output of a command has to contain a text.
shows() {
    text=$1
    shift
    echo "guest: $(echo "$*" | cut -c 1-100)"
    "$@" > /tmp/output 2>&1 || { cat /tmp/output; finish "failed"; }
    cat /tmp/output
    grep -q "$text" /tmp/output || finish "failed: no \"$text\""
}

mount -t proc proc /proc 2> /dev/null
mount -t sysfs sysfs /sys 2> /dev/null
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
port=$(sed 's/.*usbip_port=\([0-9]*\).*/\1/' /proc/cmdline)

# The network that qemu gives: the host is 10.0.2.2.
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle
card=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
step ip link set "$card" up
step ip addr add 10.0.2.15/24 dev "$card"

step modprobe vhci-hcd
step usbip --tcp-port "$port" attach -r 10.0.2.2 -b 1-1
for _ in 1 2 3 4 5 6 7 8 9 10; do
    grep -qx feff /sys/bus/usb/devices/*/idVendor && break
    sleep 1
done
udevadm settle
step grep -H . $(dirname "$(grep -lx feff /sys/bus/usb/devices/*/idVendor)")/product

# What the owner of such a device has to do: add it to the driver's list.
for entry in ifdVendorID:0xFEFF ifdProductID:0xFCFD "ifdFriendlyName:Ferrite HSM"; do
    sed -i "/<key>${entry%%:*}</{n;s|\$|<string>${entry#*:}</string>|}" /etc/libccid_Info.plist
done
mkdir -p /run/pcscd
pcscd --foreground > /tmp/pcscd.log 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do
    opensc-tool --list-readers | grep -q Ferrite && break
    sleep 1
done

shows "Ferrite HSM CCID Interface" opensc-tool --list-readers
shows "3b:fe:18:00:00:81:31:fe:45:80:31:81:54:48:53:4d:31:73:80:21:40:81:07:fa" opensc-tool --atr
shows "SmartCard-HSM" opensc-tool --name
# An extended APDU of 60007 bytes, in one message of CCID; the card does not know its instruction.
zeros=$(head -c 60000 /dev/zero | od -An -v -tx1 | tr -d ' \n')
shows "SW1=0x6D, SW2=0x00" opensc-tool --send-apdu "00FE000000EA60$zeros"

step sc-hsm-tool --initialize --so-pin 3537363231383830 --pin 648219 --label guest
step pkcs11-tool --login --pin 648219 --keypairgen --key-type EC:prime256v1 --id 10 --label ec
step pkcs11-tool --login --pin 648219 --keypairgen --key-type rsa:4096 --id 11 --label rsa
echo data > /tmp/data
step pkcs11-tool --login --pin 648219 --sign --id 10 --mechanism ECDSA-SHA256 --signature-format openssl \
    --input-file /tmp/data --output-file /tmp/signature
step pkcs11-tool --read-object --type pubkey --id 10 --output-file /tmp/key.der
shows "Verified Successfully" openssl pkeyutl -verify -pubin -keyform DER -inkey /tmp/key.der -rawin -digest sha256 \
    -in /tmp/data -sigfile /tmp/signature
step pkcs11-tool --login --pin 648219 --sign --id 11 --mechanism SHA256-RSA-PKCS \
    --input-file /tmp/data --output-file /tmp/signature
step pkcs11-tool --read-object --type pubkey --id 11 --output-file /tmp/key.der
shows "Verified OK" openssl dgst -sha256 -keyform DER -verify /tmp/key.der -signature /tmp/signature /tmp/data
# pkcs11-tool takes no more than 5000 bytes of an object.
head -c 5000 /dev/urandom > /tmp/object
step pkcs11-tool --login --pin 648219 --write-object /tmp/object --type data --label object
step pkcs11-tool --login --pin 648219 --read-object --type data --label object --output-file /tmp/back
step cmp /tmp/object /tmp/back

# Pulled out and plugged in again: everything is still there.
step usbip detach -p 0
sleep 2
step usbip --tcp-port "$port" attach -r 10.0.2.2 -b 1-1
for _ in 1 2 3 4 5 6 7 8 9 10; do
    opensc-tool --list-readers | grep -q Ferrite && break
    sleep 1
done
step pkcs11-tool --login --pin 648219 --sign --id 10 --mechanism ECDSA --input-file /tmp/data --output-file /tmp/signature
finish ok
