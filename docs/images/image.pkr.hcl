variable "snapshot" { default = "41" }

build {
  sources = ["source.amazon-ebs.debian"]
  provisioner "shell" {
    inline = [
      "sudo curl -fsSo /etc/apt/keyrings/acme.asc https://packages.example.com/keys/acme.asc",
      "echo 'deb [signed-by=/etc/apt/keyrings/acme.asc] https://packages.example.com/apt/acme/snapshots/${var.snapshot} production main' | sudo tee /etc/apt/sources.list.d/acme.list",
      "sudo apt-get update && sudo apt-get install -y app",
    ]
  }
}
